"""Operations: what people request for machines, and what came of it."""

import time
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts import stored_messages
from accounts.compiled_queries import SENTINEL_UUID, CompiledByKey, CompiledUpdate
from vms.models.machines import VirtualMachine


def ended(outcome: str) -> dict[str, Any]:
    """The columns that say why."""
    return stored_messages.columns("outcome", outcome, most=500)


class OperationQuerySet(models.QuerySet["Operation"]):
    def open(self) -> Self:
        return self.filter(state__in=Operation.OPEN)

    def commands(self) -> Self:
        """Without consoles."""
        return self.exclude(action=Operation.Action.CONSOLE)

    def waiting(self) -> Self:
        """Not yet admitted, in the order of admission."""
        return self.filter(state=Operation.State.REQUESTED, admitted_at=None).order_by("requested_at", "pk")

    def cancel_unsent(self, outcome: str) -> int:
        """Cancel those that were not sent yet, admitted or not. Returns how many."""
        unsent = self.filter(state=Operation.State.REQUESTED).order_by()
        return unsent.update(
            state=Operation.State.CANCELLED, finished_at=timezone.now(), leased_until=None, **ended(outcome)
        )

    def dismiss(self) -> int:
        """Hide the failed ones on the cards. Returns how many."""
        state = Operation.State
        failed = self.filter(state__in=[state.FAILED, state.UNKNOWN, state.CANCELLED], dismissed_at=None).order_by()
        return failed.update(dismissed_at=timezone.now())

    def under_way(self) -> Self:
        """Admitted and open."""
        return self.open().exclude(admitted_at=None)

    def in_slots(self) -> Self:
        """Operations that count towards the limits of a node and a cluster. High availability has the others."""
        return self.under_way().filter(outcome="")

    def free(self, now: datetime) -> Self:
        """Admitted, open, and leased by no worker."""
        return self.under_way().filter(Q(leased_until=None) | Q(leased_until__lt=now))

    def due(self, now: datetime) -> Self:
        """Free ones that are due, the oldest first."""
        ripe = Q(next_look_at=None) | Q(next_look_at__lte=now)
        return self.free(now).filter(ripe).order_by("requested_at", "pk")


class Operation(models.Model):
    """One action that a person requested for one machine: the record, the job and the audit of it.

    requested → sent → running → done, failed, cancelled or unknown. Each step is committed before the next one, and
    nothing is sent twice. A requested operation waits until it is admitted: the number at a time is limited for each
    node and cluster. A console is recorded here after it was closed; an open one is a `ConsoleSession`.
    """

    class Action(models.TextChoices):
        START = "start", gettext_lazy("Start")
        SHUTDOWN = "shutdown", gettext_lazy("Shut down")
        STOP = "stop", gettext_lazy("Force stop")
        REBOOT = "reboot", gettext_lazy("Reboot")
        RESET = "reset", gettext_lazy("Reset")
        SUSPEND = "suspend", gettext_lazy("Pause")
        RESUME = "resume", gettext_lazy("Resume")
        SNAPSHOT = "snapshot", gettext_lazy("Save a snapshot")
        ROLLBACK = "rollback", gettext_lazy("Revert to a snapshot")
        DELETE_SNAPSHOT = "delete-snapshot", gettext_lazy("Delete a snapshot")
        CONSOLE = "console", gettext_lazy("Console")
        CLONE = "clone", gettext_lazy("Make")
        DESTROY = "destroy", gettext_lazy("Remove")

    class State(models.TextChoices):
        REQUESTED = "requested", gettext_lazy("waiting")
        SENT = "sent", gettext_lazy("sent")
        RUNNING = "running", pgettext_lazy("operation", "running")
        DONE = "done", gettext_lazy("done")
        FAILED = "failed", gettext_lazy("failed")
        CANCELLED = "cancelled", gettext_lazy("cancelled")
        UNKNOWN = "unknown", gettext_lazy("outcome unknown")

    class Origin(models.TextChoices):
        PERSON = "", gettext_lazy("a person")
        TIMETABLE = "timetable", gettext_lazy("timetable")

    OPEN = (State.REQUESTED, State.SENT, State.RUNNING)
    # What runs of provisioning do to a machine, recorded when it is done; nobody requests it for one machine.
    OF_PROVISIONING = (Action.CLONE, Action.DESTROY)
    REQUESTABLE = tuple(action for action in Action if action.value not in {"clone", "destroy"})
    id = models.UUIDField(gettext_lazy("id"), primary_key=True, default=uuid.uuid4, editable=False)
    vm = models.ForeignKey(
        VirtualMachine, models.SET_NULL, null=True, related_name="operations", verbose_name=gettext_lazy("machine")
    )
    cluster_id = models.CharField(gettext_lazy("cluster"), max_length=50)
    vmid = models.PositiveIntegerField(gettext_lazy("VMID"))
    vm_name = models.CharField(gettext_lazy("machine name"), max_length=255, blank=True)
    node = models.CharField(
        gettext_lazy("node"),
        max_length=63,
        blank=True,
        help_text=gettext_lazy("Where the machine was when this was let through."),
    )
    action = models.CharField(gettext_lazy("action"), max_length=20, choices=Action)
    snapshot = models.CharField(gettext_lazy("snapshot"), max_length=40, blank=True)
    description = models.CharField(gettext_lazy("description"), max_length=500, blank=True)
    then = models.CharField(
        gettext_lazy("then"),
        max_length=20,
        choices=Action,
        blank=True,
        help_text=gettext_lazy("Requested by itself when this is done."),
    )
    state = models.CharField(gettext_lazy("state"), max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("requested by"),
        null=True,
        related_name="+",
    )
    requested_by_name = models.CharField(gettext_lazy("requested by"), max_length=150)
    origin = models.CharField(
        gettext_lazy("origin"),
        max_length=20,
        choices=Origin,
        blank=True,
        default=Origin.PERSON,
        db_default="",
        help_text=gettext_lazy("Who or what requested it in this person's name."),
    )
    requested_at = models.DateTimeField(gettext_lazy("requested at"), default=timezone.now)
    admitted_at = models.DateTimeField(
        gettext_lazy("admitted at"), null=True, help_text=gettext_lazy("When it was its turn.")
    )
    sent_at = models.DateTimeField(gettext_lazy("sent at"), null=True)
    finished_at = models.DateTimeField(gettext_lazy("finished at"), null=True)
    dismissed_at = models.DateTimeField(
        gettext_lazy("dismissed at"),
        null=True,
        editable=False,
        help_text=gettext_lazy("Since when the cards say no more that it failed."),
    )
    upid = models.CharField(gettext_lazy("UPID"), max_length=250, blank=True)
    outcome = models.CharField(
        gettext_lazy("outcome"),
        max_length=500,
        blank=True,
        help_text=gettext_lazy("What the cluster or the portal said at the end."),
    )
    outcome_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    leased_until = models.DateTimeField(gettext_lazy("leased until"), null=True)
    next_look_at = models.DateTimeField(gettext_lazy("next look at"), null=True)
    attempt = models.PositiveIntegerField(gettext_lazy("attempt"), default=0)

    objects: ClassVar[Any] = OperationQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("operation")
        verbose_name_plural = gettext_lazy("operations")
        ordering = ["-requested_at"]
        indexes = [
            models.Index(fields=["state", "requested_at"], name="operations_by_state"),
            models.Index(fields=["vm", "requested_at"], name="operations_by_machine"),
            models.Index(fields=["requested_by", "requested_at"], name="operations_by_person"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster_id", "vmid"],
                condition=Q(state__in=["requested", "sent", "running"]),
                name="one_open_operation_per_machine",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "sent", "running"], finished_at=None)
                | Q(state__in=["done", "failed", "cancelled", "unknown"], finished_at__isnull=False),
                name="operation_finished_or_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "cancelled"]) | Q(admitted_at__isnull=False),
                name="operation_sent_after_its_turn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.vm_name or self.vmid} ({self.cluster_id}/{self.vmid})"

    @property
    def rendered_outcome(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "outcome")

    @property
    def asked_by(self) -> str:
        """Who requested it, for people: a name, or the timetable."""
        return self.requested_by_name if self.origin == self.Origin.PERSON else str(self.get_origin_display())

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def is_handed_over(self) -> bool:
        """Whether its task has ended, and high availability carries it out when it can."""
        return self.state == self.State.RUNNING and bool(self.outcome)

    def claim(self, now: datetime) -> bool:
        """Take the lease if it is free. The attempt's number fences off the worker that had it before.

        The lease is longer than the gateway's calls of one step, so that no worker takes over from one that works.
        """
        began, lease = time.monotonic(), timedelta(seconds=settings.OPERATION_LEASE)
        taken = _CLAIM.update({"pk": self.pk}, {"leased_until": now + lease}, now=now)
        if taken:
            self._read_again()
            self._lease_ends = began + lease.total_seconds()
        return bool(taken)

    def _read_again(self) -> None:
        """Without the machine and the person, unless they are other ones: a worker has just read them."""
        for name, value in (_COLUMNS.first(self.pk) or {}).items():
            setattr(self, name, value)

    def is_leased_for(self, seconds: float) -> bool:
        """Whether the lease lasts that long from now, by a clock that runs on while this process is stopped."""
        return time.monotonic() + seconds < getattr(self, "_lease_ends", 0.0)

    def advance(self, state: str, *, expected: str, **fields: Any) -> bool:
        """Change the state if this attempt still has the lease. False when it does not."""
        mine = {"pk": self.pk, "state": expected, "attempt": self.attempt}
        changed = _UPDATE.update(mine, {"state": state, **fields})
        if changed:
            for name, value in {"state": state, **fields}.items():
                setattr(self, name, value)
        return bool(changed)

    def finish(self, state: str, outcome: str, *, expected: str) -> bool:
        return self.advance(state, expected=expected, finished_at=timezone.now(), leased_until=None, **ended(outcome))

    def release_lease(self, *, look_again_in: timedelta = timedelta()) -> None:
        _UPDATE.update({"pk": self.pk, "attempt": self.attempt}, self.released(look_again_in))

    @staticmethod
    def released(look_again_in: timedelta) -> dict[str, Any]:
        """The columns that give the lease back, for `advance`: one statement for both."""
        return {"leased_until": None, "next_look_at": timezone.now() + look_again_in}


def _columns_of(pk: uuid.UUID) -> models.QuerySet[Operation, Any]:
    names = [field.attname for field in Operation._meta.concrete_fields]
    columns: models.QuerySet[Operation, Any] = Operation.objects.filter(pk=pk).values(*names)
    return columns


_UPDATE = CompiledUpdate(Operation)
_CLAIM = CompiledUpdate(Operation, among=Operation.objects.free, counting="attempt")
_COLUMNS: CompiledByKey[Any] = CompiledByKey(_columns_of, key=SENTINEL_UUID)
