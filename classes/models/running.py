"""What the portal does by itself with machines of a class: its rules, starts before lessons, stops, and who objects."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from classes.models.labs import LabClass
from vms.models import Operation, VirtualMachine

SHORTEST_IDLE, LONGEST_IDLE = 15, 24 * 60  # minutes
MOST_KEEPS = 12
MOST_HOURS = 2000


class RunningRules(models.Model):
    """When the machines of a class start and stop by themselves. A class without a row: never."""

    class Period(models.TextChoices):
        WEEK = "week", gettext_lazy("a week")
        TERM = "term", gettext_lazy("the whole term")

    lab_class = models.OneToOneField(
        LabClass, models.CASCADE, related_name="running_rules", verbose_name=gettext_lazy("class")
    )
    starts = models.BooleanField(
        gettext_lazy("start machines before a lesson"),
        default=False,
        help_text=gettext_lazy("So early that the last one is ready when the lesson begins."),
    )
    starts_without_person = models.BooleanField(
        gettext_lazy("also start machines that nobody has"),
        default=False,
        help_text=gettext_lazy("Otherwise only machines that are assigned to somebody are started."),
    )
    stops = models.BooleanField(
        gettext_lazy("shut down machines after a lesson"),
        default=False,
        help_text=gettext_lazy("After a notice of 10 minutes. Machines started after the lesson are left on."),
    )
    idle_minutes = models.PositiveSmallIntegerField(
        gettext_lazy("shut down idle machines after (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(SHORTEST_IDLE), MaxValueValidator(LONGEST_IDLE)],
        help_text=gettext_lazy(
            "A machine is idle when nobody is logged in, and for that long its console had no input and it used little "
            "CPU and network. A notice is shown 10 minutes before. Machines without the guest agent and containers are "
            "left on. Leave empty for never."
        ),
    )
    hours = models.PositiveSmallIntegerField(
        gettext_lazy("hours of own use for each person"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_HOURS)],
        help_text=gettext_lazy(
            "They count while the machine runs outside lessons. When none are left, it starts in lessons only. Leave "
            "empty for no limit."
        ),
    )
    hours_per = models.CharField(gettext_lazy("these hours are for"), max_length=4, choices=Period, default=Period.WEEK)
    allows_forced_stop = models.BooleanField(
        gettext_lazy("force machines off that do not shut down"),
        default=False,
        help_text=gettext_lazy("Like pulling the plug: unsaved work is lost."),
    )
    keeps = models.PositiveSmallIntegerField(
        gettext_lazy("how often people may choose “Keep 1 h”"),
        default=2,
        validators=[MaxValueValidator(MOST_KEEPS)],
        help_text=gettext_lazy("After each start of the machine or lesson. 0: never."),
    )
    sends_mail = models.BooleanField(
        gettext_lazy("also send the notice by mail"),
        default=False,
        help_text=gettext_lazy("To the person who has the machine, if the account has an address."),
    )

    class Meta:
        verbose_name = gettext_lazy("rules of hours and stops")
        verbose_name_plural = gettext_lazy("rules of hours and stops")

    def __str__(self) -> str:
        return str(self.lab_class)

    @property
    def idle_after(self) -> timedelta | None:
        return timedelta(minutes=self.idle_minutes) if self.idle_minutes else None


class LessonStart(models.Model):
    """What the worker did for one bell of a class: when it should have begun to start machines, and when it did."""

    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="lesson_starts", verbose_name=gettext_lazy("class")
    )
    bell = models.DateTimeField(gettext_lazy("beginning of the lesson"))
    due_at = models.DateTimeField(gettext_lazy("due at"), help_text=gettext_lazy("When the first start was due."))
    began_at = models.DateTimeField(
        gettext_lazy("began at"),
        help_text=gettext_lazy("When the worker first looked, or looked again after an outage."),
    )
    looked_at = models.DateTimeField(gettext_lazy("looked at"), null=True)
    requested = models.PositiveSmallIntegerField(gettext_lazy("requested starts"), default=0)

    class Meta:
        verbose_name = gettext_lazy("start of a lesson")
        verbose_name_plural = gettext_lazy("starts of lessons")
        ordering = ["-bell", "-pk"]
        constraints = [models.UniqueConstraint(fields=["lab_class", "bell"], name="one_start_per_class_and_bell")]

    def __str__(self) -> str:
        return f"{self.lab_class}, {self.bell:%Y-%m-%d %H:%M} UTC"


class MeasuredStart(models.Model):
    """How long a start of a machine took, from its sending until it was seen ready. The last three are kept."""

    vm = models.ForeignKey(
        VirtualMachine, models.CASCADE, related_name="measured_starts", verbose_name=gettext_lazy("machine")
    )
    operation = models.OneToOneField(
        Operation, models.CASCADE, related_name="measured_start", verbose_name=gettext_lazy("operation")
    )
    seconds = models.FloatField(gettext_lazy("seconds"))
    at = models.DateTimeField(gettext_lazy("at"))

    class Meta:
        verbose_name = gettext_lazy("measured start")
        verbose_name_plural = gettext_lazy("measured starts")
        ordering = ["vm", "at"]
        indexes = [models.Index(fields=["vm", "at"], name="measured_starts_by_machine")]

    def __str__(self) -> str:
        return f"{self.vm_id}: {self.seconds:.0f} s"


class MachineHoldQuerySet(models.QuerySet["MachineHold"]):
    def lasting(self, now: datetime) -> Self:
        return self.filter(until__gt=now)


class MachineHold(models.Model):
    """Somebody wants a machine left on until then: *Keep 1 h* against a notice, or *do not stop me*."""

    class Kind(models.TextChoices):
        KEEP = "keep", gettext_lazy("Keep 1 h")
        DO_NOT_STOP = "do-not-stop", gettext_lazy("Do not stop")

    KEEP_FOR = timedelta(hours=1)
    LONGEST = timedelta(days=7)

    vm = models.ForeignKey(VirtualMachine, models.CASCADE, related_name="holds", verbose_name=gettext_lazy("machine"))
    kind = models.CharField(gettext_lazy("kind"), max_length=12, choices=Kind)
    until = models.DateTimeField(gettext_lazy("until"))
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=gettext_lazy("set by"), null=True, related_name="+"
    )
    set_at = models.DateTimeField(gettext_lazy("set at"), default=timezone.now)
    by_manager = models.BooleanField(
        gettext_lazy("by a manager"),
        default=False,
        db_default=False,
        help_text=gettext_lazy("Also holds when hours are used up."),
    )

    objects: ClassVar[Any] = MachineHoldQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("hold of a machine")
        verbose_name_plural = gettext_lazy("holds of machines")
        ordering = ["-set_at", "-pk"]
        indexes = [models.Index(fields=["vm", "until"], name="holds_by_machine")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.vm_id} until {self.until:%Y-%m-%d %H:%M} UTC"


class StopNotice(models.Model):
    """The portal says that a machine will be shut down, and what came of it.

    `shown_seconds` and `reminded_seconds` count while the worker confirms the notice without a gap, see
    `classes.timetable.decision.Notice`. `evidence` is what the stop was decided by.
    """

    class Outcome(models.TextChoices):
        STOPPED = "stopped", gettext_lazy("shut down")
        KEPT = "kept", gettext_lazy("kept on")
        WITHDRAWN = "withdrawn", gettext_lazy("no longer needed")
        REFUSED = "refused", gettext_lazy("not possible")

    vm = models.ForeignKey(
        VirtualMachine, models.CASCADE, related_name="stop_notices", verbose_name=gettext_lazy("machine")
    )
    lab_class = models.ForeignKey(LabClass, models.CASCADE, related_name="+", verbose_name=gettext_lazy("class"))
    reason = models.CharField(gettext_lazy("reason"), max_length=20)
    given_at = models.DateTimeField(gettext_lazy("given at"), default=timezone.now)
    confirmed_at = models.DateTimeField(
        gettext_lazy("confirmed at"), help_text=gettext_lazy("When the worker last saw to it that it is shown.")
    )
    shown_seconds = models.FloatField(gettext_lazy("shown (seconds)"), default=0)
    reminded_seconds = models.FloatField(gettext_lazy("shown since the reminder (seconds)"), default=0)
    mailed_at = models.DateTimeField(gettext_lazy("mailed at"), null=True)
    reminder_mailed_at = models.DateTimeField(gettext_lazy("reminder mailed at"), null=True)
    ended_at = models.DateTimeField(gettext_lazy("ended at"), null=True)
    outcome = models.CharField(gettext_lazy("outcome"), max_length=10, choices=Outcome, blank=True)
    operation = models.ForeignKey(
        Operation, models.SET_NULL, null=True, related_name="+", verbose_name=gettext_lazy("operation")
    )
    was_forced = models.BooleanField(gettext_lazy("was forced"), default=False)
    evidence = models.JSONField(gettext_lazy("evidence"), default=dict)

    class Meta:
        verbose_name = gettext_lazy("stop notice")
        verbose_name_plural = gettext_lazy("stop notices")
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["vm"], condition=Q(ended_at=None), name="one_open_notice_per_machine")
        ]
        indexes = [models.Index(fields=["vm", "given_at"], name="notices_by_machine")]

    def __str__(self) -> str:
        return f"{self.vm_id}, {self.given_at:%Y-%m-%d %H:%M} UTC"


class IdleEvidence(models.Model):
    """What the portal found out about the use of one machine of a class that stops idle machines.

    `quiet_since`: CPU and network were low from then until `measured_at`, without a gap; at most `cpu` (share of all
    processors, 0 to 1) and `network` (bytes a second). None where figures are missing.
    """

    class Trouble(models.TextChoices):
        FIGURES = "figures", gettext_lazy("no figures of CPU and network")
        AGENT = "agent", gettext_lazy("no answer from the guest agent")

    vm = models.OneToOneField(
        VirtualMachine, models.CASCADE, related_name="idle_evidence", verbose_name=gettext_lazy("machine")
    )
    due_at = models.DateTimeField(gettext_lazy("due at"), help_text=gettext_lazy("When it is asked for next."))
    read_at = models.DateTimeField(gettext_lazy("read at"), null=True)
    measured_at = models.DateTimeField(gettext_lazy("measured at"), null=True)
    quiet_since = models.DateTimeField(gettext_lazy("quiet since"), null=True)
    cpu = models.FloatField(gettext_lazy("CPU"), default=0)
    network = models.FloatField(gettext_lazy("network"), default=0)
    users = models.CharField(gettext_lazy("logged in"), max_length=14, default="not-asked")
    users_at = models.DateTimeField(gettext_lazy("agent asked at"), null=True)
    trouble = models.CharField(gettext_lazy("trouble"), max_length=10, choices=Trouble, blank=True)

    class Meta:
        verbose_name = gettext_lazy("evidence of idleness")
        verbose_name_plural = gettext_lazy("evidence of idleness")
        ordering = ["vm"]
        indexes = [
            models.Index(fields=["due_at"], name="idle_evidence_by_due"),
            models.Index(fields=["quiet_since"], name="idle_evidence_by_quiet"),
        ]

    def __str__(self) -> str:
        return f"{self.vm_id}"
