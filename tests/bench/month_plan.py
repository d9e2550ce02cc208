"""A month of a school on paper: its classes, their lessons with exceptions, and an own reckoning of when they are.

The reckoning uses nothing of the portal: what the portal does is compared with it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# October 2026: a holiday on the 12th, and the clocks go back on the night of the 25th.
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
HOLIDAY = date(2026, 10, 12)
SILENT_DAY = date(2026, 10, 14)
NIGHT_OF_THE_CHANGE = date(2026, 10, 25)
DAY = timedelta(days=1)
HOME, ISLANDS = "Europe/Madrid", "Atlantic/Canary"
HOME_FROM = time(17, 40)
BELLS = ((time(8), time(9, 30)), (time(9, 45), time(11, 15)), (time(11, 30), time(13)))

Times = tuple[time, time]


@dataclass(frozen=True)
class Lesson:
    """When it really is, in UTC. `note` says what is special about it."""

    number: int  # of the class
    begins: datetime
    ends: datetime
    note: str = ""


@dataclass
class Group:
    """A class: its weekly lessons by weekday, and its exceptions by the day of the rule."""

    number: int
    cluster: str
    machines: tuple[int, ...]  # VMIDs; each has a student
    zone: str = HOME
    weekly: dict[int, Times] = field(default_factory=dict)
    double: dict[int, Times] = field(default_factory=dict)  # a second lesson on a day
    once: dict[date, Times] = field(default_factory=dict)
    left_out: set[date] = field(default_factory=set)
    moved: dict[date, tuple[date, Times]] = field(default_factory=dict)
    extra: dict[date, Times] = field(default_factory=dict)
    hours: int | None = None  # of own use, a week
    idle_minutes: int | None = None

    @property
    def is_limited(self) -> bool:
        return self.hours is not None


@dataclass(frozen=True)
class Evening:
    """A machine that somebody starts at home and forgets: in use until `quiet_from`, and never shut down by hand."""

    vmid: int
    begins: datetime
    quiet_from: datetime


@dataclass(frozen=True)
class Plan:
    groups: tuple[Group, ...]
    first: date
    last: date
    seed: int

    @property
    def clusters(self) -> list[str]:
        return sorted({group.cluster for group in self.groups})

    def lessons(self) -> list[Lesson]:
        """In the order of their beginnings."""
        return sorted((one for group in self.groups for one in _of(group, self)), key=lambda one: one.begins)

    def evenings(self) -> list[Evening]:
        """Of classes that stop idle machines: on Mondays and Tuesdays, one is left at once, one after an hour."""
        days = [day for day in _days(self.first, self.last) if day.weekday() < 2 and day != HOLIDAY]
        return [
            Evening(vmid, begins, begins + used)
            for day in days
            for begins in [datetime.combine(day, HOME_FROM, ZoneInfo(HOME)).astimezone(UTC)]
            for group in self.groups
            if group.idle_minutes
            for vmid, used in zip(group.machines, (timedelta(), timedelta(hours=1)), strict=False)
        ]


def make(classes: int, *, clusters: int, machines: int, first: date = FIRST, last: date = LAST, seed: int = 1) -> Plan:
    chance = random.Random(seed)  # noqa: S311 - the same month in every run
    groups = []
    for number in range(classes):
        vmids = tuple(100 + number * machines + one for one in range(machines))
        group = Group(number, f"school-{number % clusters}", vmids, ISLANDS if number % 10 == 9 else HOME)
        days = chance.sample(range(5), 2)
        bells = [_by_the_clock_of(group.zone, times) for times in BELLS]
        group.weekly = {day: bells[(number + place) % len(bells)] for place, day in enumerate(days)}
        if number % 8 == 3:  # a double lesson, with a break
            group.weekly[days[0]], group.double[days[0]] = bells[:2]
        group.hours = 2 if number % 5 == 0 else None
        group.idle_minutes = 30 if number % 10 == 4 else None
        _except(group, chance, first, last)
        groups.append(group)
    if first <= NIGHT_OF_THE_CHANGE <= last:
        groups[0].once[NIGHT_OF_THE_CHANGE] = (time(1, 30), time(2, 30))
    return Plan(tuple(groups), first, last, seed)


def _by_the_clock_of(zone: str, times: Times) -> Times:
    """All bells ring at the same time: on the islands it is an hour earlier."""
    begins, ends = times
    return (begins.replace(hour=begins.hour - 1), ends.replace(hour=ends.hour - 1)) if zone == ISLANDS else times


def _except(group: Group, chance: random.Random, first: date, last: date) -> None:
    """Of three classes, one leaves out a lesson, one moves a lesson, and one has a lesson more."""
    days = [day for day in _days(first, last) if day.weekday() in group.weekly and day != HOLIDAY]
    if not days:
        return
    day = chance.choice(days)
    match group.number % 3:
        case 0:
            group.left_out.add(day)
        case 1:
            new_day = day if chance.random() < 0.5 or day == last else day + DAY
            group.moved[day] = (new_day, (time(15), time(16, 10)))
        case _:
            group.extra[day] = (time(16, 30), time(17, 30))


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def _of(group: Group, plan: Plan) -> Iterator[Lesson]:
    for day in _days(plan.first, plan.last):
        times = group.weekly.get(day.weekday())
        if times and day in group.moved:
            new_day, new_times = group.moved[day]
            yield _lesson(group, new_day, new_times, "moved")
        elif times and day not in group.left_out and day != HOLIDAY:
            yield _lesson(group, day, times, "")
        if day.weekday() in group.double and day != HOLIDAY:
            yield _lesson(group, day, group.double[day.weekday()], "after a break")
        if day in group.once and day != HOLIDAY:
            yield _lesson(group, day, group.once[day], "in the hour that comes twice")
        if day in group.extra:
            yield _lesson(group, day, group.extra[day], "additional")


def _lesson(group: Group, day: date, times: Times, note: str) -> Lesson:
    """An hour that comes twice begins with the first and ends with the second of the two."""
    zone = ZoneInfo(group.zone)
    begins = datetime.combine(day, times[0], zone).replace(fold=0).astimezone(UTC)
    ends = datetime.combine(day, times[1], zone).replace(fold=1).astimezone(UTC)
    return Lesson(group.number, begins, ends, note)
