"""Batches: one action, requested for many machines at once."""

import uuid
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from accounts.models import User
from vms.models.machines import VirtualMachine
from vms.models.operations import Operation, ended
from vms.models.sets import MachineSet
from vms.sentences import say

State, Action = Operation.State, Operation.Action

# The actions that may be requested for many machines at once.
BATCH_ACTIONS = (Action.START, Action.SHUTDOWN, Action.STOP, Action.ROLLBACK, Action.SNAPSHOT)


class BatchQuerySet(models.QuerySet["Batch"]):
    def visible_to(self, user: User) -> Self:
        """Batches of groups that the person manages, and their own without a group. Staff who see operations: all."""
        if user.is_staff and user.has_perm("vms.view_operation"):
            return self
        return self.filter(
            Q(machine_set__in=MachineSet.objects.filter(stewards=user.pk))
            | Q(machine_set=None, set_name="", requested_by=user.pk)
        )

    def counted(self) -> Self:
        """Annotated with the number of their machines, of finished and of open operations."""
        return self.annotate(
            item_count=Count("items"),
            done_count=Count("items", filter=Q(items__operation__state=State.DONE)),
            open_count=Count("items", filter=Q(items__operation__state__in=Operation.OPEN)),
        )


class Batch(models.Model):
    """A request for one operation on each of many machines. It has no state of its own: its operations have."""

    id = models.UUIDField(gettext_lazy("id"), primary_key=True, default=uuid.uuid4, editable=False)
    machine_set = models.ForeignKey(
        MachineSet, models.SET_NULL, verbose_name=gettext_lazy("machine group"), null=True, related_name="batches"
    )
    set_name = models.CharField(gettext_lazy("group name"), max_length=100, blank=True)
    action = models.CharField(
        gettext_lazy("action"), max_length=20, choices=[(action.value, action.label) for action in BATCH_ACTIONS]
    )
    snapshot = models.CharField(gettext_lazy("snapshot"), max_length=40, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("requested by"),
        null=True,
        related_name="+",
    )
    requested_by_name = models.CharField(gettext_lazy("requested by name"), max_length=150)
    requested_at = models.DateTimeField(gettext_lazy("requested at"), default=timezone.now)

    objects: ClassVar[Any] = BatchQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("batch")
        verbose_name_plural = gettext_lazy("batches")
        ordering = ["-requested_at"]
        indexes = [
            models.Index(fields=["machine_set", "requested_at"], name="batches_by_set"),
            models.Index(fields=["requested_by", "requested_at"], name="batches_by_person"),
        ]

    def __str__(self) -> str:
        return f"{self.title}, {self.requested_by_name}"

    def get_absolute_url(self) -> str:
        return reverse("vms-batch", args=[self.pk])

    @property
    def counts(self) -> tuple[int, int, int]:
        """The numbers of its machines, of finished and of open operations, when it comes from `counted()`."""
        return getattr(self, "item_count", 0), getattr(self, "done_count", 0), getattr(self, "open_count", 0)

    @property
    def title(self) -> str:
        """The action, with its snapshot."""
        label = str(self.get_action_display())
        return f"{label} “{self.snapshot}”" if self.snapshot else label

    def cancel_waiting(self, *, by: User) -> int:
        """Cancel operations that wait for admission, except those that others had requested. Returns how many."""
        mine = self.items.values("operation")
        # The state is part of the condition, so that one that is admitted at this moment is not cancelled.
        waiting = Operation.objects.waiting().filter(pk__in=mine, requested_by=self.requested_by_id)
        outcome = ended(say("cancelled-by", name=by.get_username()))
        cancelled: int = waiting.order_by().update(state=State.CANCELLED, finished_at=timezone.now(), **outcome)
        return cancelled


class BatchItem(models.Model):
    """One machine of a batch: its operation, or why there is none."""

    batch = models.ForeignKey(Batch, models.CASCADE, verbose_name=gettext_lazy("batch"), related_name="items")
    position = models.PositiveIntegerField(gettext_lazy("position"))
    machine = models.ForeignKey(
        VirtualMachine, models.SET_NULL, verbose_name=gettext_lazy("machine"), null=True, related_name="+"
    )
    machine_name = models.CharField(gettext_lazy("machine name"), max_length=255)
    operation = models.ForeignKey(
        Operation, models.SET_NULL, verbose_name=gettext_lazy("operation"), null=True, related_name="batch_items"
    )
    refusal = models.CharField(gettext_lazy("refusal"), max_length=500, blank=True)
    refusal_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        verbose_name = gettext_lazy("batch item")
        verbose_name_plural = gettext_lazy("batch items")
        ordering = ["batch", "position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "machine"], name="one_item_per_batch_and_machine"),
            models.CheckConstraint(condition=Q(operation=None) | Q(refusal=""), name="batch_item_asked_or_refused"),
        ]

    def __str__(self) -> str:
        return self.machine_name

    @property
    def rendered_refusal(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "refusal")

    def refuse(self, why: str) -> None:
        """Not saved yet."""
        for name, value in stored_messages.columns("refusal", why, most=500).items():
            setattr(self, name, value)
