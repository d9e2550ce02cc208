"""From the rules of a lesson to its times: pure functions of lesson, exceptions, holidays and time zone.

Clocks change. A time in the hour that is skipped counts as if the clock had not been changed (02:30 becomes 03:30), as
calendars do it; a lesson that ends too early for that (02:30 to 03:15) begins at the change. In the hour that comes
twice, a lesson begins with the first of the two and ends with the second, so that it covers either reading.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from classes.models.timetable import Holiday, Lesson, LessonException

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True)
class Slot:
    """One time of a lesson. `starts_at` and `ends_at` are UTC, `day` is local; `rule_day` is None for an addition."""

    rule_day: date | None
    day: date
    starts_at: datetime
    ends_at: datetime
    mode: str
    note: str
    exception: int | None = None  # primary key


def instants(day: date, begins: time, ends: time, zone: tzinfo) -> tuple[datetime, datetime]:
    """Beginning and end in UTC; the end is always later."""
    starts_at = _in_utc(day, begins, zone, fold=0)
    ends_at = _in_utc(day if ends > begins else day + DAY, ends, zone, fold=1)
    if ends_at > starts_at:
        return starts_at, ends_at
    change = _change_before(ends_at, zone)  # it skipped the beginning
    if change < ends_at:
        return change, ends_at
    return starts_at, starts_at + (datetime.combine(day, ends) - datetime.combine(day, begins))


def _in_utc(day: date, clock: time, zone: tzinfo, *, fold: int) -> datetime:
    local = datetime.combine(day, clock, zone)
    # Of a skipped time, fold 0 has the offset of before the change: later by the clock, as calendars do it.
    late, early = local.replace(fold=0), local.replace(fold=1)
    is_skipped = early.utcoffset() > late.utcoffset()  # type: ignore[operator]  # both are aware
    return (late if is_skipped or fold == 0 else early).astimezone(UTC)


def _change_before(instant: datetime, zone: tzinfo) -> datetime:
    """The last change of clocks at or before an instant, to the minute."""
    offset = instant.astimezone(zone).utcoffset()
    low, high = instant - DAY, instant
    while high - low > timedelta(minutes=1):
        middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high


def days(lesson: Lesson, first: date, last: date) -> Iterator[date]:
    """The days that the lesson's rule has from `first` to `last`, both inclusive, without exceptions and holidays."""
    first, last = max(first, lesson.first_day), min(last, lesson.last_day)
    if not lesson.weekdays:
        if first <= lesson.first_day <= last:
            yield lesson.first_day
        return
    monday = lesson.first_day - DAY * lesson.first_day.weekday()
    step = WEEK * lesson.every_weeks
    monday += step * ((first - monday) // step)
    while monday <= last:
        for weekday in range(7):
            day = monday + DAY * weekday
            if lesson.weekdays >> weekday & 1 and first <= day <= last:
                yield day
        monday += step


def expand(
    lesson: Lesson,
    exceptions: Iterable[LessonException],
    holidays: Iterable[Holiday],
    zone: ZoneInfo,
    *,
    first: date,
    last: date,
) -> list[Slot]:
    """The times whose day by the rule, or whose new day for additions, is from `first` to `last`, both inclusive."""
    special = {one.day: one for one in exceptions if one.day}
    found = []
    for day in days(lesson, first, last):
        if exception := special.get(day):
            found += _different(lesson, exception, zone)
        elif lesson.also_on_holidays or not any(holiday.covers(day) for holiday in holidays):
            times = instants(day, lesson.begins, lesson.ends, zone)
            found.append(Slot(day, day, *times, lesson.mode, lesson.note))
    for exception in exceptions:
        if exception.day is None and exception.new_day and first <= exception.new_day <= last:
            found += _different(lesson, exception, zone)
    return sorted(found, key=lambda slot: (slot.starts_at, slot.ends_at))


def _different(lesson: Lesson, exception: LessonException, zone: ZoneInfo) -> list[Slot]:
    """Empty where the lesson is left out."""
    if exception.new_day is None or exception.begins is None or exception.ends is None:
        return []
    times = instants(exception.new_day, exception.begins, exception.ends, zone)
    mode, note = exception.mode or lesson.mode, exception.note or lesson.note
    return [Slot(exception.day, exception.new_day, *times, mode, note, exception.pk)]
