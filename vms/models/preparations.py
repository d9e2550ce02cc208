"""Preparations: how a released machine is made ready for the next person."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts import stored_messages
from vms.models.assignments import Assignment
from vms.models.operations import Operation, ended


class PreparationQuerySet(models.QuerySet["Preparation"]):
    def open(self) -> Self:
        return self.filter(state=Preparation.State.OPEN)

    def free(self, now: datetime) -> Self:
        """Open, and leased by no worker."""
        return self.open().filter(Q(leased_until=None) | Q(leased_until__lt=now))

    def due(self, now: datetime) -> Self:
        """Free ones that wait for no operation and are due, the oldest first."""
        waits = Q(operation__state__in=Operation.OPEN)
        return self.free(now).filter(next_look_at__lte=now).exclude(waits).order_by("asked_at", "pk")


class Preparation(models.Model):
    """The preparation of a machine for the next person: the way that a person chose, and its result.

    It requests one operation after the other. After a failure nobody gets the machine until somebody chooses again,
    which adds another row. `baseline` is the snapshot that stays in any case; `points` are the restore points that the
    person was shown as those that are deleted.
    """

    class Way(models.TextChoices):
        REVERT = "revert", gettext_lazy("Revert to the baseline")
        SHUT_DOWN = "shut-down", gettext_lazy("Shut down")
        AS_IT_IS = "as-it-is", gettext_lazy("As it is")

    class State(models.TextChoices):
        OPEN = "open", gettext_lazy("in progress")
        FAILED = "failed", gettext_lazy("failed")
        DONE = "done", gettext_lazy("done")

    LEASE = timedelta(seconds=60)

    assignment = models.ForeignKey(
        Assignment, models.CASCADE, verbose_name=gettext_lazy("assignment"), related_name="preparations"
    )
    way = models.CharField(gettext_lazy("way"), max_length=10, choices=Way)
    baseline = models.CharField(gettext_lazy("baseline"), max_length=40, blank=True)
    points = models.JSONField(gettext_lazy("points"), default=list)
    reserved_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=gettext_lazy("reserved for"),
        null=True,
        related_name="+",
        help_text=gettext_lazy("The person who gets the machine when it is ready. Empty: the next person in line."),
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=gettext_lazy("asked by"), null=True, related_name="+"
    )
    asked_by_name = models.CharField(gettext_lazy("asked by name"), max_length=150)
    asked_at = models.DateTimeField(gettext_lazy("asked at"), default=timezone.now)
    operation = models.ForeignKey(
        Operation,
        models.SET_NULL,
        verbose_name=gettext_lazy("operation"),
        null=True,
        related_name="preparations",
        help_text=gettext_lazy("Its latest step."),
    )
    state = models.CharField(gettext_lazy("state"), max_length=10, choices=State, default=State.OPEN)
    outcome = models.CharField(gettext_lazy("outcome"), max_length=500, blank=True)
    outcome_message = models.JSONField(gettext_lazy("stored message"), null=True, editable=False)
    finished_at = models.DateTimeField(gettext_lazy("finished at"), null=True)
    leased_until = models.DateTimeField(gettext_lazy("leased until"), null=True)
    next_look_at = models.DateTimeField(gettext_lazy("next look at"), default=timezone.now)
    attempt = models.PositiveIntegerField(gettext_lazy("attempt"), default=0)

    objects: ClassVar[Any] = PreparationQuerySet.as_manager()

    class Meta:
        verbose_name_plural = gettext_lazy("preparations")
        verbose_name = gettext_lazy("preparation")
        ordering = ["-asked_at", "-pk"]
        indexes = [models.Index(fields=["state", "asked_at"], name="preparations_by_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"], condition=Q(state="open"), name="one_open_preparation_per_machine"
            ),
            models.CheckConstraint(
                condition=~Q(way="revert") | ~Q(baseline=""),
                name="preparation_reverts_to_a_baseline",
            ),
            models.CheckConstraint(
                condition=Q(state="open", finished_at=None) | (~Q(state="open") & Q(finished_at__isnull=False)),
                name="preparation_finished_or_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.assignment.vm}: {self.get_way_display()}"

    @property
    def rendered_outcome(self) -> str:
        """In the reader's language."""
        return stored_messages.of(self, "outcome")

    def claim(self, now: datetime) -> bool:
        """Take the lease if it is free. The attempt's number fences off the worker that had it before."""
        free = Preparation.objects.free(now).filter(pk=self.pk)
        taken = free.update(leased_until=now + self.LEASE, attempt=F("attempt") + 1)
        if taken:
            self.refresh_from_db()
        return bool(taken)

    def advance(self, **fields: Any) -> bool:
        """Update these fields if this attempt still has the lease. False when it does not."""
        mine = Preparation.objects.open().filter(pk=self.pk, attempt=self.attempt)
        changed = mine.update(**fields)
        if changed:
            for name, value in fields.items():
                setattr(self, name, value)
        return bool(changed)

    def finish(self, state: str, outcome: str = "") -> bool:
        return self.advance(state=state, finished_at=timezone.now(), leased_until=None, **ended(outcome))

    def release_lease(self, *, look_again_in: timedelta) -> None:
        next_look_at = timezone.now() + look_again_in
        Preparation.objects.filter(pk=self.pk, attempt=self.attempt).update(
            leased_until=None, next_look_at=next_look_at
        )
