"""Provisioning: runs that make machines out of a template, and the machines that they make."""

import time
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.deletion import CASCADE, ProtectedError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from accounts.encrypted_fields import EncryptedSecretField
from vms.models.capacity import LeasableNetwork, NetworkLease
from vms.models.machines import VirtualMachine
from vms.models.sets import MachineSet
from vms.models.templates import MachineTemplate, TemplateCopy

# The first line of the description of a machine that the portal made, before its mark.
MARK_PREFIX = "lab-portal: "


def protect_unremoved_machines(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Refuse to delete what a run belongs to while machines of the run exist: nobody could remove them any more."""
    machines = MadeMachine.objects.unremoved().filter(run__in=sub_objs.defer(None))
    if remaining := list(machines[:20]):
        raise ProtectedError(_("Machines that were made here still exist. Remove them first."), set(remaining))
    CASCADE(collector, field, sub_objs, using)


class ProvisioningRun(models.Model):
    """Machines that somebody requested for a machine group, out of one template, after reviewing the plan of them."""

    class Kind(models.TextChoices):
        MAKE = "make", gettext_lazy("Make machines")
        ONE_MORE = "one-more", gettext_lazy("One more")
        REIMAGE = "reimage", gettext_lazy("Re-image")

    class Networks(models.TextChoices):
        TEMPLATE = "template", gettext_lazy("The template's network")
        GROUP = "group", gettext_lazy("One network for all machines")
        EACH = "each", gettext_lazy("One network for each machine")

    id = models.UUIDField(gettext_lazy("id"), primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(gettext_lazy("kind"), max_length=8, choices=Kind, default=Kind.MAKE)
    template = models.ForeignKey(
        MachineTemplate, protect_unremoved_machines, verbose_name=gettext_lazy("machine template"), related_name="runs"
    )
    machine_set = models.ForeignKey(
        MachineSet, protect_unremoved_machines, verbose_name=gettext_lazy("machine group"), related_name="runs"
    )
    networks = models.CharField(gettext_lazy("networks"), max_length=8, choices=Networks, default=Networks.TEMPLATE)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("requested by"),
        null=True,
        related_name="+",
    )
    requested_by_name = models.CharField(gettext_lazy("requested by name"), max_length=150)
    requested_at = models.DateTimeField(gettext_lazy("requested at"), default=timezone.now)
    finished_at = models.DateTimeField(gettext_lazy("finished at"), null=True)
    cancelled_at = models.DateTimeField(gettext_lazy("cancelled at"), null=True)
    plan = models.JSONField(
        gettext_lazy("plan"), default=dict, help_text=gettext_lazy("As it was reviewed, for the record.")
    )

    class Meta:
        verbose_name = gettext_lazy("provisioning run")
        verbose_name_plural = gettext_lazy("provisioning runs")
        ordering = ["-requested_at"]
        indexes = [models.Index(fields=["machine_set", "requested_at"], name="runs_by_set")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.template}, {self.machine_set}"

    def get_absolute_url(self) -> str:
        return reverse("vms-run", args=[self.pk])


class MadeMachineQuerySet(models.QuerySet["MadeMachine"]):
    def unremoved(self) -> Self:
        """Rows that reserve their VMID and count towards quotas: their machine exists, or may exist."""
        return self.filter(removed_at=None)

    def to_do(self) -> Self:
        return self.unremoved().filter(state__in=MadeMachine.OPEN)

    def free(self, now: datetime) -> Self:
        """To do, and leased by no worker."""
        return self.to_do().filter(Q(leased_until=None) | Q(leased_until__lt=now))

    def due(self, now: datetime) -> Self:
        """Free ones that are due, in the order of the runs and their plans."""
        ripe = Q(next_look_at=None) | Q(next_look_at__lte=now)
        return self.free(now).filter(ripe).order_by("created_at", "position", "pk")


class MadeMachine(models.Model):
    """A machine of a run: reserved before anything is sent, then made step by step, and in the end removed.

    While `removed_at` is empty, the row reserves VMID, cores, memory and disk. A row whose machine was never made or
    is certainly gone has `removed_at`, too. A machine belongs to the portal if its mark, VMID and SMBIOS UUID are those
    of the row.
    """

    class Step(models.TextChoices):
        """The last step that was done."""

        RESERVED = "reserved", gettext_lazy("reserved")
        CLONED = "cloned", gettext_lazy("cloned")
        CONFIGURED = "configured", gettext_lazy("configured")
        STARTED = "started", gettext_lazy("started")
        ADDRESS_SEEN = "address-seen", gettext_lazy("IP address seen")
        BASELINE_SAVED = "baseline-saved", gettext_lazy("baseline saved")
        HANDED_OVER = "handed-over", gettext_lazy("handed over")

    class State(models.TextChoices):
        WAITING = "waiting", gettext_lazy("waiting")
        WORKING = "working", gettext_lazy("in progress")
        READY = "ready", gettext_lazy("ready")
        FAILED = "failed", gettext_lazy("failed")
        CANCELLED = "cancelled", gettext_lazy("cancelled")
        STUCK = "stuck", gettext_lazy("an administrator must free it")
        REMOVING = "removing", gettext_lazy("being removed")
        REMOVED = "removed", gettext_lazy("removed")
        EARLIER = "earlier", gettext_lazy("earlier machine")
        REFUSED = "refused", gettext_lazy("refused")

    class Call(models.TextChoices):
        """A call to the cluster whose end is not known yet."""

        CLONE = "clone", gettext_lazy("clone")
        CONFIG = "config", gettext_lazy("configuration")
        START = "start", gettext_lazy("start")
        SNAPSHOT = "snapshot", gettext_lazy("snapshot")
        STOP = "stop", gettext_lazy("stop")
        DESTROY = "destroy", gettext_lazy("destroy")

    OPEN = (State.WAITING, State.WORKING, State.REMOVING)
    LEASE = timedelta(seconds=60)

    run = models.ForeignKey(
        ProvisioningRun, models.CASCADE, verbose_name=gettext_lazy("provisioning run"), related_name="machines"
    )
    position = models.PositiveIntegerField(gettext_lazy("position"))
    mark = models.UUIDField(
        gettext_lazy("mark"),
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text=gettext_lazy("The first line of the machine's description contains it."),
    )
    cluster_id = models.CharField(gettext_lazy("cluster"), max_length=50)
    vmid = models.PositiveIntegerField(gettext_lazy("VMID"))
    node = models.CharField(gettext_lazy("node"), max_length=63, help_text=gettext_lazy("Where the machine will be."))
    copy = models.ForeignKey(
        TemplateCopy, models.SET_NULL, verbose_name=gettext_lazy("copy of the template"), null=True, related_name="+"
    )
    template_vmid = models.PositiveIntegerField(gettext_lazy("VMID of the template"))
    template_node = models.CharField(gettext_lazy("node of the template"), max_length=63)
    name = models.CharField(gettext_lazy("name"), max_length=63)
    storage = models.CharField(gettext_lazy("storage"), max_length=100, blank=True)
    network = models.ForeignKey(
        LeasableNetwork, models.SET_NULL, verbose_name=gettext_lazy("network"), null=True, related_name="+"
    )
    lease = models.ForeignKey(
        NetworkLease, models.SET_NULL, verbose_name=gettext_lazy("network lease"), null=True, related_name="machines"
    )
    for_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("for"),
        null=True,
        related_name="made_machines",
    )
    cores = models.PositiveSmallIntegerField(gettext_lazy("cores"))
    memory_mib = models.PositiveIntegerField(gettext_lazy("memory (MiB)"))
    disk_gib = models.PositiveIntegerField(gettext_lazy("disk (GiB)"))
    uuid = models.CharField(
        gettext_lazy("SMBIOS UUID"), max_length=64, blank=True, help_text=gettext_lazy("Empty until it was read.")
    )
    step = models.CharField(gettext_lazy("last step"), max_length=14, choices=Step, default=Step.RESERVED)
    state = models.CharField(gettext_lazy("state"), max_length=9, choices=State, default=State.WAITING)
    outcome = models.CharField(gettext_lazy("outcome"), max_length=500, blank=True)
    outcome_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    upid = models.CharField(gettext_lazy("UPID"), max_length=250, blank=True)
    sent_what = models.CharField(
        gettext_lazy("sent"),
        max_length=8,
        choices=Call,
        blank=True,
        help_text=gettext_lazy("The call in flight, committed before it is sent."),
    )
    sent_at = models.DateTimeField(gettext_lazy("sent at"), null=True)
    tries = models.PositiveSmallIntegerField(
        gettext_lazy("tries"), default=0, db_default=0, help_text=gettext_lazy("Of the current step, in a row.")
    )
    ids_tried = models.PositiveSmallIntegerField(gettext_lazy("VMIDs tried"), default=0)
    leased_until = models.DateTimeField(gettext_lazy("leased until"), null=True)
    next_look_at = models.DateTimeField(gettext_lazy("next look at"), null=True)
    attempt = models.PositiveIntegerField(gettext_lazy("attempt"), default=0)
    vm = models.ForeignKey(
        VirtualMachine,
        models.SET_NULL,
        verbose_name=gettext_lazy("machine"),
        null=True,
        related_name="made_machines",
        help_text=gettext_lazy("As soon as the inventory shows it."),
    )
    password = EncryptedSecretField(gettext_lazy("password"))
    password_is_written = models.BooleanField(
        gettext_lazy("password is written"),
        default=True,
        db_default=True,
        help_text=gettext_lazy("Into the machine's configuration; a revert takes it back."),
    )
    reimages = models.ForeignKey(
        "self",
        models.SET_NULL,
        verbose_name=gettext_lazy("replaces"),
        null=True,
        related_name="replaced_by",
        help_text=gettext_lazy("The machine that this one takes the place of."),
    )
    keep_until = models.DateTimeField(
        gettext_lazy("keep until"), null=True, help_text=gettext_lazy("An earlier machine is removed afterwards.")
    )
    warned_at = models.DateTimeField(gettext_lazy("warned at"), null=True)
    removal_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("removal requested by"),
        null=True,
        related_name="+",
    )
    removal_requested_by_name = models.CharField(
        gettext_lazy("removal requested by name"), max_length=150, blank=True, db_default=""
    )
    removal_requested_at = models.DateTimeField(gettext_lazy("removal requested at"), null=True)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now)
    ready_at = models.DateTimeField(gettext_lazy("ready at"), null=True)
    removed_at = models.DateTimeField(gettext_lazy("removed at"), null=True)

    objects: ClassVar[Any] = MadeMachineQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("made machine")
        verbose_name_plural = gettext_lazy("made machines")
        ordering = ["run", "position", "pk"]
        indexes = [models.Index(fields=["state", "next_look_at"], name="made_machines_by_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster_id", "vmid"], condition=Q(removed_at=None), name="one_made_machine_per_vmid"
            ),
            models.CheckConstraint(
                condition=~Q(state="removed") | Q(removed_at__isnull=False), name="made_machine_removed_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.cluster_id}/{self.vmid})"

    @property
    def description(self) -> str:
        """The first line of the machine's description on the cluster."""
        return f"{MARK_PREFIX}{self.mark}"

    @property
    def rendered_outcome(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "outcome")

    def claim(self, now: datetime) -> bool:
        """Take the lease if it is free. The attempt's number fences off the worker that had it before."""
        began = time.monotonic()
        free = MadeMachine.objects.free(now).filter(pk=self.pk)
        taken = free.update(leased_until=now + self.LEASE, attempt=F("attempt") + 1)
        if taken:
            self.refresh_from_db()
            self._lease_ends = began + self.LEASE.total_seconds()
        return bool(taken)

    def is_leased_for(self, seconds: float) -> bool:
        """Whether the lease lasts that long from now, by a clock that runs on while this process is stopped."""
        return time.monotonic() + seconds < getattr(self, "_lease_ends", 0.0)

    def advance(self, **fields: Any) -> bool:
        """Update these fields if this attempt still has the lease. False when it does not."""
        changed = MadeMachine.objects.unremoved().filter(pk=self.pk, attempt=self.attempt).update(**fields)
        if changed:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(changed)

    def release_lease(self, *, look_again_in: timedelta = timedelta()) -> None:
        next_look_at = timezone.now() + look_again_in
        MadeMachine.objects.filter(pk=self.pk, attempt=self.attempt).update(
            leased_until=None, next_look_at=next_look_at
        )
