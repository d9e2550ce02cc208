"""Nothing stops without a full notice that was shown, whatever happens to worker, clock and database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classes.timetable.decision import NOTICE, Activity, Notice, Users, confirmed, decide
from tests.classes.timetable.facts import NOW, running

LOOK = timedelta(seconds=15)

# What may happen at a look: (what, how long in seconds).
EVENTS = st.one_of(
    st.just(("look", 0)),
    st.tuples(st.just("look"), st.integers(0, 20)),
    st.tuples(st.just("outage"), st.integers(61, 90_000)),
    st.tuples(st.just("clock ahead"), st.integers(61, 90_000)),
    st.tuples(st.just("clock back"), st.integers(1, 90_000)),
    st.tuples(st.just("restore"), st.integers(1, 40)),
)


@dataclass
class Portal:
    """`at` is true time, `clock` what the portal believes. `shown` are the true times of all confirmations."""

    at: datetime = NOW
    clock: datetime = NOW
    notice: Notice | None = None
    shown: list[datetime] = field(default_factory=list)
    backups: list[Notice | None] = field(default_factory=list)

    def passes(self, time: timedelta) -> None:
        self.at += time
        self.clock += time

    def meets(self, what: str, amount: int) -> None:
        time = timedelta(seconds=amount)
        match what:
            case "outage" | "look":
                self.passes(time)
            case "clock ahead":
                self.clock += time
            case "clock back":
                self.clock -= time
            case "restore":
                self.passes(timedelta(minutes=2))  # nobody restores a database faster
                self.notice = self.backups[-min(amount, len(self.backups))] if self.backups else None

    def look(self) -> bool:
        """Whether the machine is stopped."""
        self.passes(LOOK)
        facts = running(now=self.clock, notice=self.notice, hours_left=timedelta())
        if decide(facts).should_stop:
            return True
        self.notice = confirmed(self.notice, self.clock)
        self.shown.append(self.at)
        self.backups.append(self.notice)
        return False

    def was_shown_without_a_gap(self) -> timedelta:
        """The true time of the last unbroken showing."""
        begin = self.at
        for moment in reversed(self.shown):
            if begin - moment > timedelta(minutes=1):
                break
            begin = moment
        return self.at - begin


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(EVENTS, max_size=2), max_size=80))
def test_no_stop_without_a_full_notice(story: list[list[tuple[str, int]]]):
    portal = Portal()
    for events in [*story, *[[("look", 0)]] * 45]:
        for what, amount in events:
            portal.meets(what, amount)
        if portal.look():
            assert portal.was_shown_without_a_gap() >= NOTICE
            return
    pytest.fail("it has to be stopped in the end, when the worker runs for a while")


def test_a_quiet_worker_stops_after_ten_minutes():
    portal = Portal()
    looks = next(count for count in range(1, 100) if portal.look())
    assert timedelta(minutes=10) <= LOOK * (looks - 1) <= timedelta(minutes=10, seconds=30)


# Idle machines: nothing stops that was used while the notice was shown, or that a signal was missing of.

USES = ("input", "load", "logged in", "agent silent", "figures missing")
IDLE_EVENTS = st.one_of(EVENTS, st.tuples(st.sampled_from(USES), st.integers(0, 120)))


@dataclass
class IdlePortal(Portal):
    """`used` are the true times of use, and of figures that were missing. Figures are read every minute."""

    used: list[datetime] = field(default_factory=list)
    input_at: datetime | None = None
    quiet_since: datetime = NOW - timedelta(minutes=90)
    measured_at: datetime = NOW
    users: Users = Users.NOT_ASKED
    asked_at: datetime = NOW
    next_answer: Users = Users.NOBODY_LISTED

    def meets(self, what: str, amount: int) -> None:
        if what not in USES:
            super().meets(what, amount)
            return
        match what:
            case "agent silent":
                self.next_answer = Users.NO_ANSWER
            case "logged in":
                self.next_answer = Users.LISTED
            case "input":
                self.input_at = self.clock
                self.used.append(self.at)
            case _:
                self.quiet_since = self.clock
                self.used.append(self.at)

    def look(self) -> bool:
        self.passes(LOOK)
        if not self.measured_at <= self.clock < self.measured_at + timedelta(minutes=1):
            self.measured_at = self.clock
            self.quiet_since = min(self.quiet_since, self.clock)
        if not self.asked_at <= self.clock < self.asked_at + timedelta(minutes=2):
            self.users = Users.NOT_ASKED
        activity = Activity(self.quiet_since, self.measured_at, self.input_at, users=self.users)
        decided = decide(running(now=self.clock, notice=self.notice, activity=activity, running_since=NOW - 9 * HOUR))
        if decided.asks_users:
            self.users, self.asked_at, self.next_answer = self.next_answer, self.clock, Users.NOBODY_LISTED
        if decided.should_stop:
            return True
        if decided.notice_for:
            self.notice = confirmed(self.notice, self.clock)
            self.shown.append(self.at)
            self.backups.append(self.notice)
        else:
            self.notice = None
        return False


HOUR = timedelta(hours=1)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(IDLE_EVENTS, max_size=2), max_size=80))
def test_no_idle_stop_without_a_full_notice_and_evidence(story: list[list[tuple[str, int]]]):
    portal = IdlePortal()
    for events in [*story, *[[("look", 0)]] * 400]:
        for what, amount in events:
            portal.meets(what, amount)
        if portal.look():
            assert portal.was_shown_without_a_gap() >= NOTICE
            assert not portal.used or portal.at - portal.used[-1] >= NOTICE
            assert portal.clock - portal.quiet_since >= timedelta(minutes=30)
            assert portal.input_at is None or portal.clock - portal.input_at >= timedelta(minutes=30)
            assert portal.users == Users.NOBODY_LISTED
            return


def test_an_idle_machine_is_stopped_in_the_end():
    portal = IdlePortal()
    assert any(portal.look() for _look in range(60))
