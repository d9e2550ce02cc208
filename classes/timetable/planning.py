"""A change of a timetable as a plan: which lessons take place otherwise, who is affected, and what clashes.

The change is tried in a transaction that is rolled back, so that a plan shows exactly what it will write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar, NamedTuple

from django.db import transaction
from django.db.models import Count
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow, Reason, carry_out
from accounts.spreadsheet import Unreadable
from classes.models import ClassMachine, Holiday, LabClass, Lesson, LessonException, Membership, Occurrence
from classes.timetable import changes, occurrences, recurrence


class LessonReason(Reason):
    NEW = (
        "new", Outcome.CREATED, gettext_lazy("will take place"),
        ngettext_lazy("%(n)d lesson will take place", "%(n)d lessons will take place", "n"),
    )  # fmt: skip
    CHANGED = (
        "changed", Outcome.CHANGED, gettext_lazy("will change"),
        ngettext_lazy("%(n)d will change", "%(n)d will change", "n"),
    )  # fmt: skip
    REMOVED = (
        "removed", Outcome.CHANGED, gettext_lazy("will not take place"),
        ngettext_lazy("%(n)d will not take place", "%(n)d will not take place", "n"),
    )  # fmt: skip
    HOLIDAY = (
        "holiday", Outcome.SKIPPED, gettext_lazy("holiday, does not take place"),
        ngettext_lazy("%(n)d is on a holiday", "%(n)d are on holidays", "n"),
    )  # fmt: skip
    OUTSIDE = (
        "outside", Outcome.SKIPPED, gettext_lazy("outside the days of the class, does not take place"),
        ngettext_lazy("%(n)d is outside the days of the class", "%(n)d are outside the days of the class", "n"),
    )  # fmt: skip
    PAST = (
        "past", Outcome.SKIPPED, gettext_lazy("is in the past, does not take place"),
        ngettext_lazy("%(n)d is in the past", "%(n)d are in the past", "n"),
    )  # fmt: skip


BEFORE = gettext_noop("before: %(before)s")
SAME_MACHINES = gettext_noop("clashes with the lesson of this class at %(when)s, which needs the same machines")
SAME_PEOPLE = gettext_noop("people of this class who have a lesson of %(name)s at %(when)s: %(n)s")
MOST_CLASHES = 3  # told of one lesson


@dataclass(frozen=True)
class LessonRow(PlanRow):
    """`day` is ISO; `when` is beginning and end by the clock of the class."""

    day: str = ""
    when: str = ""
    lesson_note: str = ""

    @property
    def day_in_words(self) -> str:
        return day_in_words(date.fromisoformat(self.day))


@dataclass(frozen=True, kw_only=True)
class LessonPlan(Plan[LessonRow]):
    """`rules_change`: there is something to save even where no lesson takes place otherwise."""

    rules_change: bool = False

    columns: ClassVar = (
        ("day_in_words", gettext_lazy("Day")),
        ("when", gettext_lazy("Time")),
        ("lesson_note", gettext_lazy("Note")),
    )
    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d lesson will be added", "%(n)d lessons will be added", "n"),
        Outcome.CHANGED: ngettext_lazy("%(n)d lesson will be changed", "%(n)d lessons will be changed", "n"),
    }
    nothing: ClassVar = gettext_lazy("No lesson to come will be changed")
    empty: ClassVar = gettext_lazy("No lesson to come is affected")

    @property
    def may_be_carried_out(self) -> bool:
        return self.rules_change

    @property
    def action(self) -> str:
        return _("Save")

    @property
    def said(self) -> list[str]:
        return [_("The timetable was saved.")]


def day_in_words(day: date) -> str:
    """For example “Tue 2026-09-08”, in the reader's language."""
    return f"{formats.date_format(day, 'D')} {day:%Y-%m-%d}"


def from_to(begins: time, ends: time) -> str:
    return f"{begins:%H:%M}\N{EN DASH}{ends:%H:%M}"


def plan(lab_class: LabClass, write: changes.Write) -> LessonPlan:
    """Raises `Unreadable`, where the change is about something that is gone, or is too much."""
    with transaction.atomic():
        occurrences.lock(lab_class)
        before, rules = _to_come(lab_class), _rules(lab_class)
        lesson = _written(lab_class, write)
        after, new_rules = _to_come(lab_class), _rules(lab_class)
        rows = [*_differences(lab_class, before, after), *(_not_taking_place(lab_class, lesson) if lesson else ())]
        transaction.set_rollback(True)
    rows.sort(key=lambda row: (row.day, row.when, row.reason))
    return LessonPlan(rows=tuple(rows), notices=_affected(lab_class, rows), rules_change=rules != new_rules)


def apply(lab_class: LabClass, write: changes.Write, *, expected: str | None) -> LessonPlan:
    """Raises `PlanChanged`, and `Unreadable` as `plan` does."""
    return carry_out(lambda: plan(lab_class, write), lambda _fresh: _written(lab_class, write), expected=expected)


def _written(lab_class: LabClass, write: changes.Write) -> Lesson | None:
    try:
        lesson = write(lab_class)
    except (Lesson.DoesNotExist, LessonException.DoesNotExist):
        raise Unreadable(_("This lesson has been deleted meanwhile.")) from None
    except changes.Over:
        raise Unreadable(_("This lesson is over. Add a date instead.")) from None
    except changes.TooMany:
        most = changes.MOST_LESSONS
        raise Unreadable(_("A class can't have more than %(most)d lessons.") % {"most": most}) from None
    except changes.TooManyExceptions:
        most = changes.MOST_EXCEPTIONS
        text = _("A lesson can't have more than %(most)d days that are different. Add another lesson instead.")
        raise Unreadable(text % {"most": most}) from None
    occurrences.rebuild_class(lab_class)
    if lesson:
        lesson.refresh_from_db()
    return lesson


# The rows


class Time(NamedTuple):
    """An occurrence as people see it. `key` tells which one it is when its time has changed."""

    key: tuple[int, date | None, int | None]
    starts_at: datetime
    ends_at: datetime
    mode: str
    note: str


def _to_come(lab_class: LabClass) -> dict[Any, Time]:
    rows = Occurrence.objects.filter(lab_class=lab_class, ends_at__gt=timezone.now())
    found = rows.values_list("lesson", "rule_day", "exception", "starts_at", "ends_at", "mode", "note")
    times = (Time((row[0], row[1], None if row[1] else row[2]), *row[3:]) for row in found)
    return {one.key: one for one in times}


def _rules(lab_class: LabClass) -> list[Any]:
    exceptions = LessonException.objects.filter(lesson__lab_class=lab_class)
    return [*lab_class.lessons.order_by("pk").values(), *exceptions.order_by("pk").values()]


def _differences(lab_class: LabClass, before: dict[Any, Time], after: dict[Any, Time]) -> Iterator[LessonRow]:
    """What is the same by its time is no difference, although another rule may have made it."""
    same = {one[1:] for one in before.values()} & {one[1:] for one in after.values()}
    old = {key: one for key, one in before.items() if one[1:] not in same}
    by_day = {one.key[1]: key for key, one in old.items() if key not in after and one.key[1]}
    clashes = Clashes(lab_class, after.values())
    for key, one in after.items():
        if one[1:] in same:
            continue
        was = old.pop(key, None) or old.pop(by_day.get(key[1]), None)
        notes = (Note.of(BEFORE, before=_when(lab_class, was, with_day=True)),) if was else ()
        yield _row(lab_class, LessonReason.CHANGED if was else LessonReason.NEW, one, (*notes, *clashes.of(one)))
    for key, one in old.items():
        if key not in after:
            yield _row(lab_class, LessonReason.REMOVED, one, ())


def _row(lab_class: LabClass, reason: LessonReason, one: Time, notes: tuple[Note, ...]) -> LessonRow:
    day = one.starts_at.astimezone(lab_class.zone).date()
    return LessonRow(0, reason, notes, day.isoformat(), _when(lab_class, one), one.note)


def _when(lab_class: LabClass, one: Time, *, with_day: bool = False) -> str:
    begins, ends = (instant.astimezone(lab_class.zone) for instant in (one.starts_at, one.ends_at))
    text = from_to(begins.time(), ends.time())
    return f"{begins:%Y-%m-%d} {text}" if with_day else text


def _not_taking_place(lab_class: LabClass, lesson: Lesson) -> Iterator[LessonRow]:
    """The days that the lesson's rule has, and on which nothing is."""
    taken = set(lesson.occurrences.values_list("rule_day", flat=True))
    taken |= set(lesson.exceptions.values_list("day", flat=True))
    holidays = list(Holiday.objects.filter(last_day__gte=lesson.first_day, first_day__lte=lesson.last_day))
    when = from_to(lesson.begins, lesson.ends)
    for day in recurrence.days(lesson, lesson.first_day, lesson.last_day):
        if day in taken:
            continue
        holiday = next((one for one in holidays if one.covers(day)), None)
        if holiday and not lesson.also_on_holidays:
            yield LessonRow(0, LessonReason.HOLIDAY, (), day.isoformat(), when, holiday.name)
        elif occurrences.is_in_class(lab_class, day):
            yield LessonRow(0, LessonReason.PAST, (), day.isoformat(), when, lesson.note)
        else:
            yield LessonRow(0, LessonReason.OUTSIDE, (), day.isoformat(), when, lesson.note)


# Who is affected


def _affected(lab_class: LabClass, rows: Iterable[LessonRow]) -> tuple[Note, ...]:
    if not any(row.outcome.writes for row in rows):
        return ()
    machines = ClassMachine.objects.filter(lab_class=lab_class).count()
    people = Membership.objects.joined().filter(lab_class=lab_class).count()
    text = gettext_noop("Machines of the class: %(machines)s. Students: %(people)s.")
    return (Note.of(text, machines=machines, people=people),)


class Clashes:
    """Lessons at the same time: of the class itself, which needs the same machines, and of the same people."""

    def __init__(self, lab_class: LabClass, times: Iterable[Time]) -> None:
        self.lab_class = lab_class
        self.own = sorted(times, key=lambda one: one.starts_at)
        self.others = self._of_others() if self.own else []

    def _of_others(self) -> list[tuple[datetime, datetime, str, int]]:
        joined = Membership.objects.joined()
        mine = joined.filter(lab_class=self.lab_class).values("user")
        shared = joined.filter(user__in=mine, lab_class__ended_at=None).exclude(lab_class=self.lab_class)
        people = dict(shared.values_list("lab_class").annotate(n=Count("user")).order_by())
        last = max(one.ends_at for one in self.own)
        found = Occurrence.objects.filter(lab_class__in=people).touching(self.own[0].starts_at, last)
        rows = found.order_by("starts_at").values_list("starts_at", "ends_at", "lab_class__name", "lab_class")
        return [(*row[:3], people[row[3]]) for row in rows]

    def of(self, one: Time) -> list[Note]:
        own = [
            Note.of(SAME_MACHINES, when=_when(self.lab_class, other))
            for other in self.own
            if other.key != one.key and other.starts_at < one.ends_at and other.ends_at > one.starts_at
        ]
        people: dict[str, Note] = {}
        for starts_at, ends_at, name, n in self.others:
            if starts_at < one.ends_at and ends_at > one.starts_at:
                when = _when(self.lab_class, Time(one.key, starts_at, ends_at, "", ""))
                people.setdefault(name, Note.of(SAME_PEOPLE, n=n, name=name, when=when))
        return [*own, *people.values()][:MOST_CLASHES]
