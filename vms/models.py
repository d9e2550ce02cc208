"""Machines, who holds them, and what was done to them."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.db.models.deletion import CASCADE, ProtectedError
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster


class VirtualMachineQuerySet(models.QuerySet["VirtualMachine"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Staff who may look at machines see all of them, everybody else what is assigned to him now."""
        if user.is_staff and user.has_perm("vms.view_virtualmachine"):
            return self
        return self._held_by(user)

    def operable_by(self, user: User | AnonymousUser) -> Self:
        if user.is_staff and user.has_perm("vms.operate_virtualmachine"):
            return self
        return self._held_by(user)

    def on_active_clusters(self) -> Self:
        return self.filter(cluster__is_active=True)

    def _held_by(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(pk__in=Assignment.objects.live().filter(user=user).values("vm"))


class VirtualMachine(models.Model):
    """A guest of a cluster, as the last complete answer described it.

    (cluster, vmid) is its identity; a VMID alone is none.
    """

    class Kind(models.TextChoices):
        QEMU = "qemu", "virtual machine"
        LXC = "lxc", "container"

    cluster = models.ForeignKey(
        Cluster, models.CASCADE, to_field="cluster_id", db_column="cluster_id", related_name="machines"
    )
    vmid = models.PositiveIntegerField("VMID")
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.QEMU)
    name = models.CharField(max_length=255, blank=True)
    node = models.CharField(max_length=63)
    status = models.CharField(max_length=20, help_text="As the cluster says it.")
    lock = models.CharField(max_length=20, blank=True)
    template = models.BooleanField(default=False)
    pool = models.CharField(max_length=100, blank=True)
    tags = models.CharField(max_length=500, blank=True, help_text="Separated by semicolons.")
    cpus = models.FloatField(default=0)
    memory = models.BigIntegerField(default=0, help_text="Bytes.")
    disk = models.BigIntegerField(default=0, help_text="Bytes.")
    status_at = models.DateTimeField(null=True, help_text="When the status was asked for directly; a list is older.")
    missing_since = models.DateTimeField(null=True, help_text="Since when complete answers lack it.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = VirtualMachineQuerySet.as_manager()

    class Meta:
        verbose_name = "machine"
        ordering = ["cluster_id", "vmid"]
        permissions = [("operate_virtualmachine", "Can operate every machine")]
        constraints = [models.UniqueConstraint(fields=["cluster", "vmid"], name="one_machine_per_cluster_and_vmid")]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.cluster_id}/{self.vmid})"

    @property
    def display_name(self) -> str:
        return self.name or f"VM {self.vmid}"

    def observe(self, status: str, *, at: datetime) -> None:
        """Write down a status that was asked for directly."""
        VirtualMachine.objects.filter(pk=self.pk).update(status=status, status_at=at)
        self.status, self.status_at = status, at


def protect_live_assignments(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Refuse to delete a machine that somebody holds now; what was held once does not protect."""
    live = list(sub_objs.defer(None).filter(ended_at=None))
    if live:
        raise ProtectedError("Somebody holds these machines. End the assignments first.", set(live))
    CASCADE(collector, field, sub_objs, using)


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def end(self) -> int:
        return self.live().update(ended_at=timezone.now())


class Assignment(models.Model):
    """Somebody holds a machine. It is ended, not deleted."""

    vm = models.ForeignKey(VirtualMachine, protect_live_assignments, related_name="assignments", verbose_name="machine")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="assignments")
    assigned_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Empty while it lasts.")

    objects: ClassVar[Any] = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["-assigned_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=Q(ended_at=None),
                name="one_live_assignment_per_machine",
                violation_error_message="Somebody holds this machine already. End that assignment first.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.vm} → {self.user}"

    def clean(self) -> None:
        # The admin's form has no `ended_at`, and without it Django leaves the constraint to the database, as a crash.
        self.validate_constraints()


class OperationQuerySet(models.QuerySet["Operation"]):
    def open(self) -> Self:
        return self.filter(state__in=Operation.OPEN)

    def due(self, now: datetime) -> Self:
        """Open operations that no worker holds, oldest first."""
        return self.open().filter(Q(leased_until=None) | Q(leased_until__lt=now)).order_by("requested_at", "pk")


class Operation(models.Model):
    """One thing that a person wanted done to a machine: the record, the job and the audit of it.

    requested → sent → running → done, failed, cancelled or unknown. Every step is committed before the next one
    is taken, and nothing is sent twice.
    """

    class Action(models.TextChoices):
        START = "start", "Start"
        SHUTDOWN = "shutdown", "Shut down"
        STOP = "stop", "Force stop"
        REBOOT = "reboot", "Reboot"

    class State(models.TextChoices):
        REQUESTED = "requested", "waiting"
        SENT = "sent", "sent"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        UNKNOWN = "unknown", "outcome unknown"

    OPEN = (State.REQUESTED, State.SENT, State.RUNNING)
    LEASE = timedelta(
        seconds=60
    )  # longer than the gateway's calls of one step, so that a worker at work is not overtaken

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vm = models.ForeignKey(
        VirtualMachine, models.SET_NULL, null=True, related_name="operations", verbose_name="machine"
    )
    cluster_id = models.CharField("cluster", max_length=50)
    vmid = models.PositiveIntegerField("VMID")
    vm_name = models.CharField("machine name", max_length=255, blank=True)
    action = models.CharField(max_length=10, choices=Action)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    requested_by_name = models.CharField("requested by", max_length=150)
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    upid = models.CharField("UPID", max_length=250, blank=True)
    outcome = models.CharField(max_length=500, blank=True, help_text="What the cluster or the portal said at the end.")
    leased_until = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        indexes = [models.Index(fields=["state", "requested_at"], name="operations_by_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["vm"],
                condition=Q(state__in=["requested", "sent", "running"]),
                name="one_open_operation_per_machine",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.vm_name or self.vmid} ({self.cluster_id}/{self.vmid})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    def claim(self, now: datetime) -> bool:
        """Take the lease if nobody holds it. The attempt number fences off whoever held it before."""
        taken = (
            Operation.objects.due(now)
            .filter(pk=self.pk)
            .update(leased_until=now + self.LEASE, attempt=F("attempt") + 1)
        )
        if taken:
            self.refresh_from_db()
        return bool(taken)

    def advance(self, state: str, *, expected: str, **fields: Any) -> bool:
        """Go from one state to another if this attempt still holds the operation. False when it does not."""
        changed = Operation.objects.filter(pk=self.pk, state=expected, attempt=self.attempt).update(
            state=state, **fields
        )
        if changed:
            for name, value in {"state": state, **fields}.items():
                setattr(self, name, value)
        return bool(changed)

    def finish(self, state: str, outcome: str, *, expected: str) -> bool:
        return self.advance(
            state, expected=expected, outcome=outcome[:500], finished_at=timezone.now(), leased_until=None
        )

    def release(self) -> None:
        Operation.objects.filter(pk=self.pk, attempt=self.attempt).update(leased_until=None)


class ClusterSync(models.Model):
    """When a cluster's machines were last read, and when they are read next."""

    INTERVAL = timedelta(seconds=15)
    LEASE = timedelta(seconds=60)

    cluster = models.OneToOneField(
        Cluster,
        models.CASCADE,
        to_field="cluster_id",
        db_column="cluster_id",
        primary_key=True,
        related_name="sync",
    )
    due_at = models.DateTimeField(default=timezone.now)
    synced_at = models.DateTimeField(null=True, help_text="Begin of the last read that was taken over.")
    notice = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.synced_at or 'never'}"

    @classmethod
    def claim(cls, cluster_id: str, now: datetime) -> bool:
        """Take the next turn of a cluster if it is due. Any number of workers may ask."""
        cls.objects.get_or_create(cluster_id=cluster_id, defaults={"due_at": now})
        return bool(cls.objects.filter(cluster_id=cluster_id, due_at__lte=now).update(due_at=now + cls.LEASE))

    @classmethod
    def schedule_next(cls, cluster_id: str, *, after: timedelta | None = None) -> None:
        cls.objects.filter(cluster_id=cluster_id).update(due_at=timezone.now() + (after or cls.INTERVAL))


__all__ = ["Assignment", "ClusterSync", "Operation", "VirtualMachine"]
