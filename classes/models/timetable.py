"""The timetable of a class: lessons by wall clock, exceptions, the school's holidays, and the occurrences in UTC."""

from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.printable import PrintableTexts
from classes.models.labs import LabClass

EVERY_DAY = 0b111_1111
MOST_WEEKS = 52
LONGEST_SERIES = timedelta(days=2 * 366)

# A lesson ends within a day by its clock. In the night of autumn a day has 25 hours.
LONGEST_LESSON = timedelta(hours=25)


class LessonMode(models.TextChoices):
    BOTH = "both", gettext_lazy("Start and stop machines")
    START = "start", gettext_lazy("Start machines only")
    STOP = "stop", gettext_lazy("Stop machines only")


class Lesson(PrintableTexts, models.Model):
    """A lesson once, or each n weeks on chosen weekdays. Days and times are wall-clock in the class's time zone.

    A lesson whose end is not after its beginning ends on the next day.
    """

    lab_class = models.ForeignKey(LabClass, models.CASCADE, related_name="lessons", verbose_name=gettext_lazy("class"))
    weekdays = models.PositiveSmallIntegerField(
        gettext_lazy("weekdays"),
        default=0,
        validators=[MaxValueValidator(EVERY_DAY)],
        help_text=gettext_lazy("A sum: Monday is 1, Tuesday 2, Wednesday 4 …; 0 is a lesson that takes place once."),
    )
    every_weeks = models.PositiveSmallIntegerField(
        gettext_lazy("every n weeks"), default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_WEEKS)]
    )
    first_day = models.DateField(gettext_lazy("first day"))
    last_day = models.DateField(gettext_lazy("last day"))
    begins = models.TimeField(gettext_lazy("from"))
    ends = models.TimeField(
        gettext_lazy("to"), help_text=gettext_lazy("A time that is not after the beginning is on the next day.")
    )
    mode = models.CharField(gettext_lazy("machines"), max_length=8, choices=LessonMode, default=LessonMode.BOTH)
    also_on_holidays = models.BooleanField(
        gettext_lazy("also on holidays"),
        default=False,
        help_text=gettext_lazy("Otherwise the lesson does not take place on the school's holidays."),
    )
    note = models.CharField(
        gettext_lazy("note"),
        max_length=200,
        blank=True,
        help_text=gettext_lazy("For example the room. Everyone in the class sees it."),
    )

    class Meta:
        verbose_name = gettext_lazy("lesson")
        verbose_name_plural = gettext_lazy("lessons")
        ordering = ["first_day", "begins", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="lesson_ends_after_it_begins",
                violation_error_message=gettext_lazy("The last day can't be before the first day."),
            ),
            models.CheckConstraint(condition=Q(weekdays__lte=EVERY_DAY), name="lesson_on_known_weekdays"),
            models.CheckConstraint(
                condition=Q(weekdays__gt=0) | Q(last_day=F("first_day")), name="lesson_without_weekdays_is_once"
            ),
            models.CheckConstraint(condition=Q(every_weeks__range=(1, MOST_WEEKS)), name="lesson_every_1_to_52_weeks"),
            models.CheckConstraint(condition=Q(mode__in=LessonMode.values), name="lesson_has_a_known_mode"),
            models.CheckConstraint(
                condition=~Q(begins=F("ends")),
                name="lesson_takes_time",
                violation_error_message=gettext_lazy("A lesson can't end when it begins."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lab_class}, {self.first_day:%Y-%m-%d} {self.begins:%H:%M} to {self.ends:%H:%M}"

    def clean(self) -> None:
        super().clean()
        if self.first_day and self.last_day and self.last_day - self.first_day > LONGEST_SERIES:
            raise ValidationError({"last_day": _("A series of lessons can't be longer than two years.")})

    @property
    def is_weekly(self) -> bool:
        return bool(self.weekdays)


class LessonException(PrintableTexts, models.Model):
    """One day of a lesson that is different, by the day that the lesson would have by its rule.

    Without `new_day` the lesson is left out on `day`. Without `day` the lesson takes place additionally on `new_day`.
    With both it takes place on `new_day` instead, which may be the same day at another time. Holidays don't count then.
    """

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="exceptions", verbose_name=gettext_lazy("lesson"))
    day = models.DateField(gettext_lazy("day"), null=True, blank=True)
    new_day = models.DateField(gettext_lazy("new day"), null=True, blank=True)
    begins = models.TimeField(gettext_lazy("from"), null=True, blank=True)
    ends = models.TimeField(gettext_lazy("to"), null=True, blank=True)
    mode = models.CharField(
        gettext_lazy("machines"),
        max_length=8,
        choices=LessonMode,
        blank=True,
        help_text=gettext_lazy("Empty: as usual."),
    )
    note = models.CharField(
        gettext_lazy("note"), max_length=200, blank=True, help_text=gettext_lazy("Empty: as usual.")
    )

    class Meta:
        verbose_name = gettext_lazy("exception of a lesson")
        verbose_name_plural = gettext_lazy("exceptions of lessons")
        ordering = ["day", "new_day", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["lesson", "day"], name="one_exception_per_lesson_and_day"),
            models.CheckConstraint(
                condition=(Q(new_day=None) & Q(begins=None) & Q(ends=None) & Q(day__isnull=False))
                | (Q(new_day__isnull=False) & Q(begins__isnull=False) & Q(ends__isnull=False)),
                name="exception_is_left_out_or_has_a_time",
            ),
            models.CheckConstraint(condition=Q(begins=None) | ~Q(begins=F("ends")), name="exception_takes_time"),
            models.CheckConstraint(condition=Q(mode__in=["", *LessonMode.values]), name="exception_has_a_known_mode"),
        ]

    def __str__(self) -> str:
        return f"{self.lesson}: {self.day or 'added'} → {self.new_day or 'left out'}"


class Holiday(PrintableTexts, models.Model):
    """Days without lessons for all classes, both inclusive, in each class's own time zone."""

    name = models.CharField(gettext_lazy("name"), max_length=100)
    first_day = models.DateField(gettext_lazy("first day"))
    last_day = models.DateField(gettext_lazy("last day"))

    class Meta:
        verbose_name = gettext_lazy("holiday")
        verbose_name_plural = gettext_lazy("holidays")
        ordering = ["first_day", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="holiday_ends_after_it_begins",
                violation_error_message=gettext_lazy("The last day can't be before the first day."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def covers(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day


class OccurrenceQuerySet(models.QuerySet["Occurrence"]):
    def of_person(self, user: Any) -> Self:
        """The lessons that a person teaches or takes part in, of classes that have not ended."""
        taught, taken = LabClass.objects.taught_by(user), LabClass.objects.joined_by(user)
        mine = Q(lab_class__in=taught.order_by().values("pk")) | Q(lab_class__in=taken.order_by().values("pk"))
        return self.of_open_classes().filter(mine)

    def of_open_classes(self) -> Self:
        return self.filter(lab_class__ended_at=None, lab_class__is_being_deleted=False)

    def next_of(self, lab_class: LabClass) -> "Occurrence | None":
        """The lesson that runs or comes next."""
        return self.filter(lab_class=lab_class, ends_at__gt=timezone.now()).order_by("starts_at", "pk").first()

    def touching(self, first: datetime, last: datetime) -> Self:
        """Those that begin before `last` and end after `first`. Bound on both sides: past lessons cost nothing."""
        return self.filter(starts_at__gt=first - LONGEST_LESSON, starts_at__lt=last, ends_at__gt=first)


class Occurrence(models.Model):
    """One lesson at one time, in UTC. Written by `classes.timetable.occurrences` alone, from the rows above.

    `day` is the day in the class's time zone. `rule_day` is the day by the lesson's rule; empty for an additional one.
    """

    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="occurrences", verbose_name=gettext_lazy("lesson"))
    lab_class = models.ForeignKey(
        LabClass, models.CASCADE, related_name="occurrences", verbose_name=gettext_lazy("class")
    )
    exception = models.ForeignKey(
        LessonException, models.SET_NULL, null=True, related_name="+", verbose_name=gettext_lazy("exception")
    )
    rule_day = models.DateField(gettext_lazy("day by the rule"), null=True)
    day = models.DateField(gettext_lazy("day"))
    starts_at = models.DateTimeField(gettext_lazy("starts at"))
    ends_at = models.DateTimeField(gettext_lazy("ends at"))
    mode = models.CharField(gettext_lazy("machines"), max_length=8, choices=LessonMode)
    note = models.CharField(gettext_lazy("note"), max_length=200, blank=True)

    objects: ClassVar[Any] = OccurrenceQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("occurrence of a lesson")
        verbose_name_plural = gettext_lazy("occurrences of lessons")
        ordering = ["starts_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["lesson", "rule_day"], name="one_occurrence_per_lesson_and_day"),
            models.UniqueConstraint(fields=["exception"], name="one_occurrence_per_exception"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="occurrence_ends_after_it_starts"),
        ]
        indexes = [
            models.Index(fields=["starts_at"], name="occurrence_starts"),
            models.Index(fields=["lab_class", "starts_at"], name="occurrence_of_class"),
        ]

    def __str__(self) -> str:
        return f"{self.lab_class}, {self.starts_at:%Y-%m-%d %H:%M} UTC"


class CalendarFeed(models.Model):
    """The secret address of a person's own lessons as a calendar. Shown once; the portal keeps its hash alone."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_feed", verbose_name=gettext_lazy("user")
    )
    token_hash = models.CharField(gettext_lazy("token hash"), max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(gettext_lazy("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = gettext_lazy("calendar address")
        verbose_name_plural = gettext_lazy("calendar addresses")

    def __str__(self) -> str:
        return str(self.user)
