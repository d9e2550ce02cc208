"""Keeps the stored occurrences as the rules say: whoever changes a rule, a zone or the days of a class rebuilds them.

An occurrence that is over stays as it was, so that the past does not change with the rules. One that is still the same
keeps its row.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classes.models import Holiday, LabClass, Lesson, Occurrence
from classes.timetable import recurrence
from classes.timetable.recurrence import Slot

AT_ONCE = 200  # lessons whose occurrences are in memory at the same time
FIELDS = ("day", "starts_at", "ends_at", "mode", "note", "exception_id")

Key = tuple[int, date | None, int | None]  # the lesson, and its day by the rule or the exception that adds it


def lock(*classes: LabClass) -> None:
    """Lock the classes' rows, so that nobody else changes their timetables until the transaction ends."""
    keys = [lab_class.pk for lab_class in classes]
    list(LabClass.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=keys).order_by("pk"))


def lock_all() -> None:
    """Lock all classes with a timetable, for a holiday."""
    lock(*LabClass.objects.filter(lessons__isnull=False).distinct())


def rebuild_class(lab_class: LabClass) -> None:
    """In a transaction that has locked the class."""
    rebuild(Lesson.objects.filter(lab_class=lab_class))


def rebuild_days(first: date, last: date) -> None:
    """For a holiday that came, went or moved: the days from `first` to `last`, both inclusive, of all classes."""
    rebuild(Lesson.objects.filter(first_day__lte=last, last_day__gte=first), days=(first, last))


def rebuild_all() -> None:
    """What the worker does once a day: the rules of time zones and the portal's own zone may have changed."""
    lately = timezone.now().date() - timedelta(days=2)  # wherever on earth, and also over midnight
    for lab_class in LabClass.objects.filter(ended_at=None, lessons__last_day__gte=lately).distinct():
        with transaction.atomic():
            lock(lab_class)
            rebuild_class(lab_class)


def rebuild(lessons: QuerySet[Lesson], *, days: tuple[date, date] | None = None) -> None:
    """`days` are the first and the last day to look at, both inclusive. Only what differs is written."""
    keys = list(lessons.order_by("pk").values_list("pk", flat=True))
    for at in range(0, len(keys), AT_ONCE):
        some = Lesson.objects.filter(pk__in=keys[at : at + AT_ONCE])
        _rebuild(list(some.select_related("lab_class").prefetch_related("exceptions")), days, timezone.now())


def _rebuild(lessons: list[Lesson], days: tuple[date, date] | None, now: datetime) -> None:
    wanted = {key: (lesson, slot) for lesson, key, slot in _wanted(lessons, days) if slot.ends_at > now}
    kept = {_key_of(row): row for row in _stored(lessons, days, now, wanted)}
    gone = [row.pk for key, row in kept.items() if key not in wanted and row.ends_at > now]
    Occurrence.objects.filter(pk__in=gone).delete()
    changed = [row for key, row in kept.items() if key in wanted and _follow(row, wanted[key][1])]
    Occurrence.objects.bulk_update(changed, FIELDS, batch_size=AT_ONCE)
    Occurrence.objects.bulk_create([_row(*wanted[key]) for key in wanted if key not in kept], batch_size=AT_ONCE)


def _wanted(lessons: list[Lesson], days: tuple[date, date] | None) -> Iterator[tuple[Lesson, Key, Slot]]:
    first, last = days or (date.min, date.max)
    holidays = list(Holiday.objects.filter(last_day__gte=first, first_day__lte=last))
    for lesson in lessons:
        slots = recurrence.expand(
            lesson, lesson.exceptions.all(), holidays, lesson.lab_class.zone, first=first, last=last
        )
        for slot in slots:
            if is_in_class(lesson.lab_class, slot.day):
                yield lesson, _key(lesson.pk, slot.rule_day, slot.exception), slot


def is_in_class(lab_class: LabClass, day: date) -> bool:
    return (lab_class.starts_on or date.min) <= day <= (lab_class.ends_on or date.max)


def _stored(
    lessons: list[Lesson], days: tuple[date, date] | None, now: datetime, wanted: Iterable[Key]
) -> QuerySet[Occurrence]:
    """Those that are not over, and those of a day that is wanted again at another time."""
    earliest = min((rule_day for _lesson, rule_day, _exception in wanted if rule_day), default=date.max)
    rows: QuerySet[Occurrence] = Occurrence.objects.filter(lesson__in=lessons)
    rows = rows.filter(Q(ends_at__gt=now) | Q(rule_day__gte=earliest))
    if days:
        rows = rows.filter(Q(rule_day__range=days) | Q(rule_day=None, day__range=days))
    return rows


def _key(lesson: int, rule_day: date | None, exception: int | None) -> Key:
    return lesson, rule_day, exception if rule_day is None else None


def _key_of(row: Occurrence) -> Key:
    return _key(row.lesson_id, row.rule_day, row.exception_id)


def _values(slot: Slot) -> dict[str, Any]:
    return {name: getattr(slot, name.removesuffix("_id")) for name in FIELDS}


def _follow(row: Occurrence, slot: Slot) -> bool:
    """Whether the row had to change."""
    values = _values(slot)
    is_same = all(getattr(row, name) == value for name, value in values.items())
    for name, value in values.items():
        setattr(row, name, value)
    return not is_same


def _row(lesson: Lesson, slot: Slot) -> Occurrence:
    return Occurrence(lesson=lesson, lab_class_id=lesson.lab_class_id, rule_day=slot.rule_day, **_values(slot))
