"""A class with a timetable, on a day of our choice. No cluster is needed: nothing here asks one."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from classes import lifecycle
from classes.models import LabClass, Lesson
from classes.timetable import occurrences
from tests.classes.conftest import teacher

# A Monday in term, 08:00 in Madrid.
NOW = datetime(2026, 9, 7, 6, tzinfo=UTC)
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 9, day) for day in range(7, 12))
WEEKDAYS = {day: 1 << day.weekday() for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def tess() -> User:
    return teacher("tess")


def make_class(owner: User, name: str = "Networks 101", **fields: Any) -> LabClass:
    return lifecycle.create(LabClass(name=name, **{"time_zone": "Europe/Madrid"} | fields), owner=owner, grants=())


@pytest.fixture
def networks(tess: User) -> LabClass:
    return make_class(tess)


def make_lesson(lab_class: LabClass, first: date = TUESDAY, last: date | None = None, **fields: Any) -> Lesson:
    """Each week at 10:00 to 11:30 on the weekday of the first day; once, where the last day is the first."""
    last = last or first.replace(month=12)
    weekdays = 0 if first == last else 1 << first.weekday()
    values = {"begins": time(10), "ends": time(11, 30), "weekdays": weekdays} | fields
    lesson = Lesson.objects.create(lab_class=lab_class, first_day=first, last_day=last, **values)
    occurrences.rebuild_class(lab_class)
    return lesson


def times(lesson: Lesson | LabClass) -> list[str]:
    """Its occurrences in UTC."""
    return [f"{row.starts_at:%m-%d %H:%M}" for row in lesson.occurrences.order_by("starts_at")]
