"""A lesson as it comes from a file, and how single times are folded into lessons that repeat."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, time, timedelta
from functools import reduce
from itertools import pairwise
from math import gcd
from typing import Any, NamedTuple

from classes.models import LabClass, Lesson, LessonException, LessonMode
from classes.timetable import recurrence
from classes.timetable.forms import plain

DAY = timedelta(days=1)


class FoundTime(NamedTuple):
    """One lesson by the clock of the class."""

    note: str
    begins: time
    ends: time
    day: date


@dataclass(frozen=True)
class Series:
    """A lesson to be added, with the days on which it is left out. `line` is that of a table; 0: of a calendar."""

    first_day: date
    last_day: date
    begins: time
    ends: time
    weekdays: int = 0
    every_weeks: int = 1
    mode: str = LessonMode.BOTH.value
    also_on_holidays: bool = False
    note: str = ""
    left_out: tuple[date, ...] = ()
    line: int = 0

    def lesson(self, lab_class: LabClass) -> Lesson:
        """Not saved."""
        values = {name: getattr(self, name) for name in VALUES}
        return Lesson(lab_class=lab_class, **values)

    def exceptions(self, lesson: Lesson) -> list[LessonException]:
        return [LessonException(lesson=lesson, day=day) for day in self.left_out]

    def as_json(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in asdict(self).items()} | {
            "left_out": [day.isoformat() for day in self.left_out]
        }


VALUES = (
    "first_day", "last_day", "begins", "ends", "weekdays", "every_weeks", "mode", "also_on_holidays", "note",
)  # fmt: skip


def from_json(kept: dict[str, Any]) -> Series:
    days = {name: date.fromisoformat(kept[name]) for name in ("first_day", "last_day")}
    clock = {name: time.fromisoformat(kept[name]) for name in ("begins", "ends")}
    return Series(**kept | days | clock | {"left_out": tuple(map(date.fromisoformat, kept["left_out"]))})


def fold(times: Iterable[FoundTime], holidays: Collection[date]) -> list[Series]:
    """As few lessons as have exactly these times. `holidays` are days on which a lesson is left out by itself."""
    by_lesson: dict[tuple[str, time, time], set[date]] = defaultdict(set)
    for one in times:
        by_lesson[one.note, one.begins, one.ends].add(one.day)
    found = [
        series
        for (note, begins, ends), days in by_lesson.items()
        for series in _merged(
            [
                Series(days[0], days[-1], begins, ends, note=note, weekdays=_weekday(days), every_weeks=_weeks(days))
                for days in _by_weekday(days)
            ],
            days,
            holidays,
        )
    ]
    return sorted(found, key=lambda series: (series.first_day, series.begins, series.note))


def _by_weekday(days: set[date]) -> Iterator[list[date]]:
    """Days in the same rhythm. Days that are too few for one stand alone."""
    for weekday in range(7):
        own = sorted(day for day in days if day.weekday() == weekday)
        if len(own) > 1 and (own[-1] - own[0]).days // 7 // _weeks(own) + 1 <= 2 * len(own):
            yield own
        else:
            yield from ([day] for day in own)


def _weekday(days: list[date]) -> int:
    return 1 << days[0].weekday() if len(days) > 1 else 0


def _weeks(days: list[date]) -> int:
    return reduce(gcd, ((later - day).days // 7 for day, later in pairwise(days)), 0) or 1


def _merged(some: list[Series], days: set[date], holidays: Collection[date]) -> Iterator[Series]:
    """Weekdays of the same span of weeks are one lesson."""
    merged: dict[Any, Series] = {}
    for one in some:
        weeks = tuple(_monday(day).toordinal() for day in (one.first_day, one.last_day))
        key = (weeks, one.every_weeks) if one.weekdays else one.first_day
        known = merged.get(key)
        if known:
            first, last = min(known.first_day, one.first_day), max(known.last_day, one.last_day)
            one = replace(one, weekdays=known.weekdays | one.weekdays, first_day=first, last_day=last)  # noqa: PLW2901
        merged[key] = one
    return (_with_exceptions(series, days, holidays) for series in merged.values())


def _monday(day: date) -> date:
    return day - DAY * day.weekday()


def _with_exceptions(series: Series, days: set[date], holidays: Collection[date]) -> Series:
    ruled = list(recurrence.days(series.lesson(LabClass()), series.first_day, series.last_day))
    on_holidays = any(day in days and day in holidays for day in ruled)
    left_out = tuple(day for day in ruled if day not in days and (on_holidays or day not in holidays))
    return replace(series, also_on_holidays=on_holidays, left_out=left_out)
