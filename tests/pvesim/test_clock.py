import pytest

from pvesim import ManualClock
from pvesim.timeline import Timeline


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(start=100.0)
    clock.advance(2.5)
    assert clock.now() == 102.5
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_events_run_in_order_each_at_its_own_time() -> None:
    clock = ManualClock(start=0.0)
    timeline, seen = Timeline(clock), []
    timeline.after(5, lambda: seen.append(("late", timeline.now())))
    timeline.after(2, lambda: seen.append(("early", timeline.now())))
    clock.advance(10)
    timeline.settle()
    assert seen == [("early", 2.0), ("late", 5.0)]


def test_events_may_cause_events() -> None:
    clock = ManualClock(start=0.0)
    timeline, seen = Timeline(clock), []
    timeline.after(1, lambda: timeline.after(1, lambda: seen.append(timeline.now())))
    clock.advance(10)
    timeline.settle()
    assert seen == [2.0]
