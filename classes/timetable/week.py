"""A week of a class as its page shows it: what takes place, and what the rules have but does not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from classes.models import Holiday, LabClass, Lesson, LessonException, Occurrence
from classes.timetable import occurrences, recurrence

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Entry:
    """A lesson on a day, by the clock of the class. `absent` says why it does not take place; empty: it does."""

    day: date
    begins: datetime
    ends: datetime
    lesson: int
    rule_day: date | None
    exception: int | None
    mode: str
    note: str
    absent: str = ""
    is_left_out: bool = False

    @property
    def is_over(self) -> bool:
        return self.ends <= timezone.now()

    @property
    def is_different(self) -> bool:
        return bool(self.exception and self.rule_day)


@dataclass(frozen=True)
class Day:
    day: date
    holiday: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Week:
    """Monday to Sunday."""

    days: tuple[Day, ...]

    @property
    def monday(self) -> date:
        return self.days[0].day

    @property
    def sunday(self) -> date:
        return self.days[-1].day

    @property
    def before(self) -> date:
        return self.monday - 7 * DAY

    @property
    def after(self) -> date:
        return self.monday + 7 * DAY

    @property
    def is_empty(self) -> bool:
        return not any(day.entries for day in self.days)


def of(lab_class: LabClass, day: date, lessons: list[Lesson]) -> Week:
    """The week of a day. `lessons` are those of the class, with their exceptions."""
    monday = day - DAY * day.weekday()
    sunday = monday + 6 * DAY
    holidays = list(Holiday.objects.filter(last_day__gte=monday, first_day__lte=sunday))
    found = [*_taking_place(lab_class, monday, sunday), *_absent(lab_class, monday, sunday, lessons, holidays)]
    found.sort(key=lambda entry: (entry.begins, entry.ends, entry.lesson))
    days = []
    for one in (monday + number * DAY for number in range(7)):
        names = ", ".join(holiday.name for holiday in holidays if holiday.covers(one))
        days.append(Day(one, names, tuple(entry for entry in found if entry.day == one)))
    return Week(tuple(days))


def _taking_place(lab_class: LabClass, monday: date, sunday: date) -> Iterator[Entry]:
    for row in Occurrence.objects.filter(lab_class=lab_class, day__range=(monday, sunday)):
        begins, ends = row.starts_at.astimezone(lab_class.zone), row.ends_at.astimezone(lab_class.zone)
        place = (row.lesson_id, row.rule_day, row.exception_id, row.mode, row.note)
        yield Entry(row.day, begins, ends, *place)


def _absent(
    lab_class: LabClass, monday: date, sunday: date, lessons: list[Lesson], holidays: list[Holiday]
) -> Iterator[Entry]:
    """What the rules have in this week, and what was left out or moved away, or falls on a holiday."""
    for lesson in lessons:
        special: dict[Any, LessonException] = {one.day: one for one in lesson.exceptions.all() if one.day}
        for day in recurrence.days(lesson, monday, sunday):
            why = _why_absent(lab_class, lesson, day, special.get(day), holidays)
            if why:
                begins, ends = recurrence.instants(day, lesson.begins, lesson.ends, lab_class.zone)
                known = special.get(day)
                yield Entry(
                    day, begins.astimezone(lab_class.zone), ends.astimezone(lab_class.zone), lesson.pk, day,
                    known.pk if known else None, lesson.mode, lesson.note, absent=why, is_left_out=known is not None,
                )  # fmt: skip


def _why_absent(
    lab_class: LabClass, lesson: Lesson, day: date, exception: LessonException | None, holidays: list[Holiday]
) -> str:
    if exception:
        if exception.new_day is None:
            return _("left out")
        moved = exception.new_day != day
        return _("moved to %(day)s") % {"day": exception.new_day.isoformat()} if moved else ""
    if not lesson.also_on_holidays:
        for holiday in holidays:
            if holiday.covers(day):
                return _("holiday: %(name)s") % {"name": holiday.name}
    return "" if occurrences.is_in_class(lab_class, day) else _("outside the days of the class")
