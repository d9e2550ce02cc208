"""Facts about one machine for tests of the decision, each a small change of a machine in use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from classes.timetable.decision import NOTICE, REMINDER, Activity, Facts, Lesson, Notice, Rules, Users

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)

# A machine that is running, with every rule of its class on, quiet for as long as anybody looked.
ALL_RULES = Rules(starts=True, stops=True, idle_after=timedelta(minutes=30))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def ago(count: float, *, now: datetime = NOW) -> datetime:
    return now - minutes(count)


def ahead(count: float, *, now: datetime = NOW) -> datetime:
    return now + minutes(count)


def lesson(begins: float, ends: float, *, now: datetime = NOW, **more: Any) -> Lesson:
    """A lesson that starts and stops its machines, in minutes from now."""
    return Lesson(ahead(begins, now=now), ahead(ends, now=now), **{"starts": True, "stops": True} | more)


def wall(zone: str, day: str, begins: str, ends: str, **more: Any) -> Lesson:
    """A lesson at these times of the clock on the wall; the earlier one where a time comes twice."""
    own = ZoneInfo(zone)
    first, last = (datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=own) for time in (begins, ends))
    return Lesson(first.astimezone(UTC), last.astimezone(UTC), **{"starts": True, "stops": True} | more)


def full_notice(*, now: datetime = NOW) -> Notice:
    return Notice(NOTICE, REMINDER, ago(0.2, now=now))


def quiet(count: float = 60, *, now: datetime = NOW, **more: Any) -> Activity:
    facts = {"quiet_since": ago(count, now=now), "measured_at": ago(0.5, now=now), "users": Users.NOBODY_LISTED}
    return Activity(**facts | more)


def running(*, now: datetime = NOW, **more: Any) -> Facts:
    """In use for hours, with nothing due."""
    plain = Facts(now, "running", ago(0.2, now=now), running_since=ago(300, now=now), rules=ALL_RULES)
    return replace(plain, **more)


def stopped(*, now: datetime = NOW, **more: Any) -> Facts:
    return replace(running(now=now), status="stopped", running_since=None, **more)
