"""A day of the month that `bin/bench month` plays, and mistakes that it has to find."""

from datetime import date, time, timedelta
from typing import Any

import pytest

from classes.timetable import bell, decision
from tests.bench import month
from tests.bench.month_check import Findings
from tests.bench.month_plan import Group, Plan

MONDAY = date(2026, 10, 5)
FIRST, SECOND = (time(8), time(9, 30)), (time(9, 45), time(11, 15))


def play() -> Findings:
    """One class has two lessons with a break, another one lesson."""
    groups = (
        Group(0, "school-0", (100,), weekly={0: FIRST}, double={0: SECOND}),
        Group(1, "school-0", (101,), weekly={0: SECOND}),
    )
    return month.play(Plan(groups, MONDAY, MONDAY, seed=1))


def test_a_day_is_played_and_every_promise_kept(own_database: Any):
    found = play()
    assert found.broken == []
    assert (found.lessons, found.stops.total()) == (3, 2)
    assert found.told["workers that were killed"] == 2


def in_no_lesson(facts: decision.Facts) -> None:
    return None


def nothing_due(*_args: Any) -> list[bell.Start]:
    return []


def test_a_lesson_that_is_not_seen_and_a_short_notice_are_found(own_database: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decision, "_running_lesson", in_no_lesson)
    monkeypatch.setattr(decision, "NOTICE", timedelta(minutes=5))
    broken = "\n".join(play().broken)
    assert "stopped in a lesson" in broken
    assert "stopped after a notice of" in broken


def test_machines_that_nobody_starts_are_found(own_database: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bell, "due", nothing_due)
    assert any("not started, without a reason" in one for one in play().broken)
