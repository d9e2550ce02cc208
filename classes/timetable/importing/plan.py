"""The import of a timetable as a plan: a row for each lesson of the file, and one for each that ends."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanChanged, PlanRow, Reason, carry_out, reasons
from accounts.spreadsheet import Unreadable
from classes.models import Holiday, LabClass, Lesson, LessonException, Occurrence
from classes.models.timetable import LONGEST_SERIES
from classes.timetable import changes, occurrences, recurrence
from classes.timetable.importing import calendar_file, lesson_table, series
from classes.timetable.importing.lesson_table import Faulty
from classes.timetable.importing.series import Series
from classes.timetable.planning import from_to

ENDLESS = timedelta(days=366)  # how far rules without an end are followed

Times = frozenset[tuple[datetime, datetime]]


class ImportReason(Reason):
    NEW = (
        "new", Outcome.CREATED, gettext_lazy("will be added"),
        ngettext_lazy("%(n)d will be added", "%(n)d will be added", "n"),
    )  # fmt: skip
    SAME = (
        "same", Outcome.SKIPPED, gettext_lazy("in the timetable already"),
        ngettext_lazy("%(n)d is in the timetable already", "%(n)d are in the timetable already", "n"),
    )  # fmt: skip
    ENDS = (
        "ends", Outcome.CHANGED, gettext_lazy("not in the file, ends now"),
        ngettext_lazy("%(n)d is not in the file and ends now", "%(n)d are not in the file and end now", "n"),
    )  # fmt: skip
    PAST = (
        "past", Outcome.SKIPPED, gettext_lazy("has no lesson to come"),
        ngettext_lazy("%(n)d has no lesson to come", "%(n)d have no lesson to come", "n"),
    )  # fmt: skip
    DUPLICATE = reasons.DUPLICATE
    INVALID = reasons.INVALID


LEFT_OUT = gettext_noop("left out on %(days)s")
CLASHES = gettext_noop("at the time of other lessons of the class: %(n)s")
ON_HOLIDAYS = gettext_noop("also on holidays")
MOST_DAYS = 5  # told of one lesson


@dataclass(frozen=True)
class ImportRow(PlanRow):
    """`days` are weekdays or a date; `count` are lessons to come; `lesson` is the key of one that ends, else 0."""

    days: str = ""
    when: str = ""
    span: str = ""
    count: int = 0
    note: str = ""
    lesson: int = 0


@dataclass(frozen=True, kw_only=True)
class ImportPlan(Plan[ImportRow]):
    columns: ClassVar = (
        ("days", gettext_lazy("Day")),
        ("when", gettext_lazy("Time")),
        ("span", gettext_lazy("First and last day")),
        ("count", gettext_lazy("Lessons to come")),
        ("note", gettext_lazy("Note")),
    )
    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d lesson will be added", "%(n)d lessons will be added", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d lesson will end", "%(n)d lessons will end", "n"),
    }
    did: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d lesson was added.", "%(n)d lessons were added.", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d lesson ended.", "%(n)d lessons ended.", "n"),
    }
    nothing: ClassVar = gettext_lazy("Nothing will be added")
    empty: ClassVar = gettext_lazy("The file has no lessons to come")

    @property
    def action(self) -> str:
        return _("Save the timetable")


@dataclass(frozen=True)
class Found:
    """What was read from a file: plain enough to be kept by a page."""

    lessons: list[Series]
    faulty: list[Faulty]
    notices: list[Note]

    def as_json(self) -> dict[str, Any]:
        return {
            "lessons": [one.as_json() for one in self.lessons],
            "faulty": [[one.line, one.text, one.fault] for one in self.faulty],
            "notices": [[note.text, list(note.facts)] for note in self.notices],
        }


def from_json(kept: dict[str, Any]) -> Found:
    notices = [Note(text, tuple((name, value) for name, value in facts)) for text, facts in kept["notices"]]
    return Found(list(map(series.from_json, kept["lessons"])), [Faulty(*one) for one in kept["faulty"]], notices)


def read(lab_class: LabClass, text: str, *, title: str, by_clock: bool) -> Found:
    """A calendar file or a table. Raises `Unreadable`."""
    if text.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        first = lab_class.today
        last = min(lab_class.ends_on or first + ENDLESS, first + LONGEST_SERIES)
        times, notices = calendar_file.read(
            text, lab_class.zone, first=first, last=last, title=title, by_clock=by_clock
        )
        found = Found(series.fold(times, _holidays(first, last)), [], notices)
    else:
        found = Found(*lesson_table.read(text))
    if len(found.lessons) > changes.MOST_LESSONS:
        most = {"most": changes.MOST_LESSONS}
        raise Unreadable(_("A class can't have more than %(most)d lessons.") % most)
    return found


def _holidays(first: date, last: date) -> set[date]:
    rows = Holiday.objects.filter(last_day__gte=first, first_day__lte=last)
    spans = [(max(row.first_day, first), min(row.last_day, last)) for row in rows]
    return {begins + timedelta(days=n) for begins, ends in spans for n in range((ends - begins).days + 1)}


def plan(lab_class: LabClass, found: Found, *, replace: bool) -> ImportPlan:
    """`replace`: lessons of the class that are not in the file end now."""
    known, holidays = _times_to_come(lab_class), list(Holiday.objects.all())
    there: Times = frozenset(time for times in known.values() for time in times)
    read = [(one, _times_of(lab_class, one, holidays)) for one in found.lessons]
    same = {time for _one, times in read if times <= there for time in times}
    ending = [pk for pk, times in known.items() if not times <= same] if replace else []
    stays: Times = frozenset(time for pk, times in known.items() if pk not in ending for time in times)
    seen: set[tuple[Times, str]] = set()
    rows = [_row(one, times, there=there, stays=stays, seen=seen) for one, times in read]
    rows += [_faulty_row(one) for one in found.faulty]
    rows += _ending_rows(lab_class.lessons.filter(pk__in=ending), known)
    return ImportPlan(rows=tuple(rows), notices=tuple(found.notices))


def _times_to_come(lab_class: LabClass) -> dict[int, Times]:
    """By lesson."""
    known: dict[int, set[tuple[datetime, datetime]]] = defaultdict(set)
    to_come = Occurrence.objects.filter(lab_class=lab_class, ends_at__gt=timezone.now())
    for lesson, starts_at, ends_at in to_come.values_list("lesson", "starts_at", "ends_at"):
        known[lesson].add((starts_at, ends_at))
    return {lesson: frozenset(times) for lesson, times in known.items()}


def _times_of(lab_class: LabClass, one: Series, holidays: list[Holiday]) -> Times:
    """Those to come."""
    lesson = one.lesson(lab_class)
    if _fault(lesson):
        return frozenset()
    days = {"first": one.first_day, "last": one.last_day}
    slots = recurrence.expand(lesson, one.exceptions(lesson), holidays, lab_class.zone, **days)
    now = timezone.now()
    return frozenset(
        (slot.starts_at, slot.ends_at)
        for slot in slots
        if slot.ends_at > now and occurrences.is_in_class(lab_class, slot.day)
    )


def _row(one: Series, times: Times, *, there: Times, stays: Times, seen: set[tuple[Times, str]]) -> ImportRow:
    """`there` are the times of the class now, `stays` those that stay, and `seen` the lessons of the file so far."""
    lesson = one.lesson(LabClass())
    told = (*_told(lesson), len(times), one.note)
    if fault := _fault(lesson):
        return ImportRow(one.line, ImportReason.INVALID, (Note(fault),), *told)
    if times and times <= there:
        return ImportRow(one.line, ImportReason.SAME, (), *told)
    if not times or (times, one.note) in seen:
        return ImportRow(one.line, ImportReason.DUPLICATE if times else ImportReason.PAST, (), *told)
    seen.add((times, one.note))
    return ImportRow(one.line, ImportReason.NEW, tuple(_notes(one, times, stays)), *told)


def _fault(lesson: Lesson) -> str:
    if lesson.last_day < lesson.first_day:
        return gettext_noop("the last day is before the first day")
    if lesson.begins == lesson.ends:
        return gettext_noop("the lesson ends when it begins")
    is_long = lesson.last_day - lesson.first_day > LONGEST_SERIES
    return gettext_noop("the series is longer than two years") if is_long else ""


def _notes(one: Series, times: Times, there: Times) -> Iterator[Note]:
    if one.left_out:
        days = ", ".join(map(str, one.left_out[:MOST_DAYS])) + (", …" if len(one.left_out) > MOST_DAYS else "")
        yield Note.of(LEFT_OUT, days=days)
    if one.also_on_holidays:
        yield Note(ON_HOLIDAYS)
    n = sum(any(starts < other[1] and ends > other[0] for other in there) for starts, ends in times)
    if n:
        yield Note.of(CLASHES, n=n)


def _told(lesson: Lesson) -> tuple[str, str, str]:
    """Days, time and span of a lesson. They are compared, so they are the same in every language but for weekdays."""
    when = from_to(lesson.begins, lesson.ends)
    if not lesson.weekdays:
        return str(lesson.first_day), when, ""
    days = ", ".join(str(name) for number, name in WEEKDAYS_ABBR.items() if lesson.weekdays >> number & 1)
    if lesson.every_weeks > 1:
        weeks = lesson.every_weeks
        days += ", " + ngettext("every week", "every %(n)d weeks", weeks) % {"n": weeks}
    return days, when, f"{lesson.first_day} \N{EN DASH} {lesson.last_day}"


def _faulty_row(one: Faulty) -> ImportRow:
    return ImportRow(one.line, ImportReason.INVALID, (Note(one.fault.replace("%", "%%")),), days=one.text)


def _ending_rows(lessons: QuerySet[Lesson], known: dict[int, Times]) -> Iterator[ImportRow]:
    for lesson in lessons:
        yield ImportRow(0, ImportReason.ENDS, (), *_told(lesson), len(known[lesson.pk]), lesson.note, lesson.pk)


def apply(lab_class: LabClass, found: Found, *, replace: bool, expected: str) -> ImportPlan:
    """Raises `PlanChanged`, and then nothing was written."""

    def make() -> ImportPlan:
        occurrences.lock(lab_class)
        return plan(lab_class, found, replace=replace)

    def write(fresh: ImportPlan) -> None:
        try:
            for row in fresh.of(ImportReason.ENDS):
                changes.delete_following(lab_class, row.lesson, lab_class.today)
            for row, one in zip(fresh.rows, found.lessons, strict=False):
                if row.reason is ImportReason.NEW:
                    lesson = changes.add(lab_class, {name: getattr(one, name) for name in series.VALUES})
                    LessonException.objects.bulk_create(one.exceptions(lesson))
        except changes.TooMany:
            raise PlanChanged(_("The class would have too many lessons, so nothing was saved.")) from None
        occurrences.rebuild_class(lab_class)

    return carry_out(make, write, expected=expected)
