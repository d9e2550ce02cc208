"""From the rules of a lesson to its times: a table with both changes of the clocks, and properties of every zone."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from classes.models import Holiday, Lesson, LessonException
from classes.models.timetable import LONGEST_LESSON
from classes.timetable import recurrence

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = (1 << number for number in range(7))
MADRID, NEW_YORK, LORD_HOWE, UTC_ZONE = "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "UTC"


class Clock(NamedTuple):
    name: str
    zone: str
    day: str
    begins: str
    ends: str
    in_utc: str  # beginning and end


CLOCKS = [
    # In 2026 Madrid skips 02:00 to 03:00 on 29 March and has it twice on 25 October; New York on 8 March, 1 November.
    Clock("winter", MADRID, "2026-01-12", "10:00", "11:30", "01-12 09:00 to 01-12 10:30"),
    Clock("summer", MADRID, "2026-06-15", "10:00", "11:30", "06-15 08:00 to 06-15 09:30"),
    Clock("summer in New York", NEW_YORK, "2026-06-15", "10:00", "11:30", "06-15 14:00 to 06-15 15:30"),
    Clock("winter in New York", NEW_YORK, "2026-01-12", "10:00", "11:30", "01-12 15:00 to 01-12 16:30"),
    Clock("New York changed before", NEW_YORK, "2026-03-16", "10:00", "11:00", "03-16 14:00 to 03-16 15:00"),
    Clock("the same day in Madrid", MADRID, "2026-03-16", "10:00", "11:00", "03-16 09:00 to 03-16 10:00"),
    Clock("a zone without changes", UTC_ZONE, "2026-03-29", "02:00", "03:00", "03-29 02:00 to 03-29 03:00"),
    Clock("to midnight", MADRID, "2026-06-15", "22:00", "00:00", "06-15 20:00 to 06-15 22:00"),
    Clock("over midnight", MADRID, "2026-06-15", "22:00", "01:00", "06-15 20:00 to 06-15 23:00"),
    Clock("nearly a day", MADRID, "2026-06-15", "10:00", "09:59", "06-15 08:00 to 06-16 07:59"),
    Clock("over the hour that is skipped", MADRID, "2026-03-29", "01:00", "04:00", "03-29 00:00 to 03-29 02:00"),
    Clock("in the hour that is skipped", MADRID, "2026-03-29", "02:15", "02:45", "03-29 01:15 to 03-29 01:45"),
    Clock("the hour that is skipped", MADRID, "2026-03-29", "02:00", "03:00", "03-29 01:00 to 03-29 02:00"),
    Clock("the end of the skipped hour", MADRID, "2026-03-29", "02:30", "03:00", "03-29 01:30 to 03-29 02:00"),
    Clock("into the hour that is skipped", MADRID, "2026-03-29", "01:30", "02:30", "03-29 00:30 to 03-29 01:30"),
    Clock("out of the hour that is skipped", MADRID, "2026-03-29", "02:30", "03:15", "03-29 01:00 to 03-29 01:15"),
    Clock("far out of the skipped hour", MADRID, "2026-03-29", "02:30", "05:00", "03-29 01:30 to 03-29 03:00"),
    Clock("evening to skipped hour", MADRID, "2026-03-28", "22:00", "02:30", "03-28 21:00 to 03-29 01:30"),
    Clock("over the hour that comes twice", MADRID, "2026-10-25", "01:00", "04:00", "10-24 23:00 to 10-25 03:00"),
    Clock("in the hour that comes twice", MADRID, "2026-10-25", "02:15", "02:45", "10-25 00:15 to 10-25 01:45"),
    Clock("the hour that comes twice", MADRID, "2026-10-25", "02:00", "03:00", "10-25 00:00 to 10-25 02:00"),
    Clock("into the hour that comes twice", MADRID, "2026-10-25", "01:30", "02:30", "10-24 23:30 to 10-25 01:30"),
    Clock("out of the hour that comes twice", MADRID, "2026-10-25", "02:30", "03:30", "10-25 00:30 to 10-25 02:30"),
    Clock("New York's skipped hour", NEW_YORK, "2026-03-08", "02:15", "02:45", "03-08 07:15 to 03-08 07:45"),
    Clock("out of New York's skipped hour", NEW_YORK, "2026-03-08", "02:50", "03:10", "03-08 07:00 to 03-08 07:10"),
    Clock("New York's hour that comes twice", NEW_YORK, "2026-11-01", "01:15", "01:45", "11-01 05:15 to 11-01 06:45"),
    Clock("half an hour is skipped", LORD_HOWE, "2026-10-04", "02:10", "02:20", "10-03 15:40 to 10-03 15:50"),
    Clock("half an hour comes twice", LORD_HOWE, "2026-04-05", "01:40", "01:50", "04-04 14:40 to 04-04 15:20"),
]  # fmt: skip


@pytest.mark.parametrize("row", CLOCKS, ids=lambda row: row.name)
def test_wall_clock_becomes_utc(row: Clock):
    begins, ends = time.fromisoformat(row.begins), time.fromisoformat(row.ends)
    found = recurrence.instants(date.fromisoformat(row.day), begins, ends, ZoneInfo(row.zone))
    assert all(instant.tzinfo is UTC for instant in found)
    assert " to ".join(f"{instant:%m-%d %H:%M}" for instant in found) == row.in_utc


class Rule(NamedTuple):
    name: str
    weekdays: int
    first: str
    last: str
    days: str  # those found, in 2026
    every_weeks: int = 1
    window: tuple[str, str] = ("2026-01-01", "2026-12-31")
    exceptions: tuple[str, ...] = ()  # "day>new day"
    holidays: tuple[str, ...] = ()  # "first>last"
    also_on_holidays: bool = False


RULES = [
    Rule("once", 0, "2026-09-01", "2026-09-01", "09-01"),
    Rule("once, on a holiday", 0, "2026-09-01", "2026-09-01", "", holidays=("09-01>09-01",)),
    Rule("each Tuesday", TUESDAY, "2026-09-01", "2026-09-15", "09-01 09-08 09-15"),
    Rule("first and last day count", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-08"),
    Rule("the first day need not match", MONDAY, "2026-09-01", "2026-09-14", "09-07 09-14"),
    Rule("two weekdays", MONDAY | FRIDAY, "2026-09-04", "2026-09-14", "09-04 09-07 09-11 09-14"),
    Rule("every day", 127, "2026-09-04", "2026-09-07", "09-04 09-05 09-06 09-07"),
    Rule("the weekend", SATURDAY | SUNDAY, "2026-09-01", "2026-09-07", "09-05 09-06"),
    Rule("every two weeks", THURSDAY, "2026-09-03", "2026-10-02", "09-03 09-17 10-01", 2),
    Rule("weeks begin on Monday", MONDAY | SUNDAY, "2026-09-06", "2026-09-21", "09-06 09-14 09-20", 2),
    Rule("every three weeks, seen later", WEDNESDAY, "2026-09-02", "2026-12-31", "10-14",
         3, ("2026-10-01", "2026-10-20")),
    Rule("a window inside", TUESDAY, "2026-09-01", "2026-12-31", "10-06 10-13", 1, ("2026-10-06", "2026-10-13")),
    Rule("a window outside", TUESDAY, "2026-09-01", "2026-09-30", "", 1, ("2026-10-06", "2026-10-13")),
    Rule("left out", TUESDAY, "2026-09-01", "2026-09-15", "09-01 09-15", exceptions=("09-08>",)),
    Rule("moved", TUESDAY, "2026-09-01", "2026-09-15", "09-01 09-10 09-15", exceptions=("09-08>09-10",)),
    Rule("moved past the last day", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-20", exceptions=("09-08>09-20",)),
    Rule("added", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-03 09-08", exceptions=(">09-03",)),
    Rule("an exception of a day that is none", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-08",
         exceptions=("09-02>09-03",)),
    Rule("holidays", TUESDAY, "2026-09-01", "2026-09-22", "09-01 09-22", holidays=("09-08>09-15",)),
    Rule("a holiday's last day counts", TUESDAY, "2026-09-01", "2026-09-15", "09-01",
         holidays=("09-05>09-08", "09-15>09-15")),
    Rule("also on holidays", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-08",
         holidays=("09-08>09-08",), also_on_holidays=True),
    Rule("moved onto a holiday", TUESDAY, "2026-09-01", "2026-09-08", "09-01 09-10",
         exceptions=("09-08>09-10",), holidays=("09-08>09-10",)),
    Rule("added on a holiday", TUESDAY, "2026-09-01", "2026-09-01", "09-01 09-10",
         exceptions=(">09-10",), holidays=("09-10>09-10",)),
]  # fmt: skip


def of_2026(text: str) -> date | None:
    return date.fromisoformat(f"2026-{text}") if text else None


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
def test_a_rule_becomes_days(row: Rule):
    lesson = Lesson(
        weekdays=row.weekdays, every_weeks=row.every_weeks, begins=time(10), ends=time(11),
        first_day=date.fromisoformat(row.first), last_day=date.fromisoformat(row.last),
        also_on_holidays=row.also_on_holidays,
    )  # fmt: skip
    exceptions = []
    for day, _arrow, new_day in (text.partition(">") for text in row.exceptions):
        new = {"new_day": of_2026(new_day), "begins": time(14), "ends": time(15)} if new_day else {}
        exceptions.append(LessonException(lesson=lesson, day=of_2026(day), **new))
    holidays = [Holiday(first_day=of_2026(text[:5]), last_day=of_2026(text[6:])) for text in row.holidays]
    first, last = map(date.fromisoformat, row.window)
    found = recurrence.expand(lesson, exceptions, holidays, ZoneInfo(MADRID), first=first, last=last)
    assert " ".join(f"{slot.day:%m-%d}" for slot in found) == row.days


def test_a_moved_lesson_has_its_own_time_mode_and_note():
    lesson = Lesson(
        first_day=date(2026, 9, 1), last_day=date(2026, 9, 1), begins=time(10), ends=time(11), note="Room 1"
    )
    times = {"begins": time(14), "ends": time(15)}
    moved = LessonException(day=date(2026, 9, 1), new_day=date(2026, 9, 2), mode="start", note="Room 2", **times)
    (slot,) = recurrence.expand(lesson, [moved], [], ZoneInfo(MADRID), first=date(2026, 1, 1), last=date(2026, 12, 31))
    assert (slot.rule_day, slot.mode, slot.note) == (date(2026, 9, 1), "start", "Room 2")
    assert slot.starts_at == datetime(2026, 9, 2, 12, tzinfo=UTC)


# Properties

ZONES = [MADRID, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "America/Santiago", "Pacific/Chatham", UTC_ZONE]
HALF_HOURS = [time(hour, minute) for hour in (*range(5), 12, 22, 23) for minute in (0, 10, 30, 50)]


def nights_of_change(zone: ZoneInfo) -> set[date]:
    """In 2026, with the days before and after; one day at least."""
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(364)]
    offsets = [datetime.combine(day, time(12), zone).utcoffset() for day in days]
    changed = [number for number in range(1, 364) if offsets[number] != offsets[number - 1]]
    return {days[number + more] for number in changed for more in (-1, 0, 1)} or {days[0]}


@pytest.mark.parametrize("name", ZONES)
def test_a_lesson_takes_time_in_every_zone_and_night(name: str):
    zone = ZoneInfo(name)
    for day in nights_of_change(zone):
        for begins, ends in permutations(HALF_HOURS, 2):
            starts_at, ends_at = recurrence.instants(day, begins, ends, zone)
            assert timedelta() < ends_at - starts_at < LONGEST_LESSON, (day, begins, ends)
