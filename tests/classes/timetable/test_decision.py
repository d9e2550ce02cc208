"""The table of the decision: what the facts of a machine lead to. The order of reasons is docs/timetable.md's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from classes.timetable.decision import Activity, Facts, Notice, Reason, Rules, Users, decide
from tests.classes.timetable.facts import (
    ALL_RULES,
    NOW,
    ago,
    ahead,
    full_notice,
    lesson,
    minutes,
    quiet,
    running,
    stopped,
    wall,
)

OVER = lesson(-60, -5)
NOW_ON = lesson(-30, 30)
RULES_OFF = Rules()
GONE = {"hours_left": timedelta()}
FULL = {"notice": full_notice()}
IDLE = {"activity": quiet()}
NOT_ASKED = quiet(users=Users.NOT_ASKED)
HALF = Notice(minutes(5), minutes(0), NOW)
GAP = Notice(minutes(10), minutes(5), ago(2))
ALONE = {"left_alone_until": ahead(60)}

# What the answer is: RUN means that it should be started or left on, STAY that nothing happens to it.
STOP, STAY, RUN, NOTIFY, ASK = "stop", "stay", "run", "notify", "ask"


def seen(name: str, facts: Facts) -> str:
    found = decide(facts)
    if found.should_stop:
        return STOP
    if found.asks_users:
        return ASK
    if found.notice_for:
        return NOTIFY
    return RUN if found.should_run else STAY


ROWS: list[tuple[str, Facts, str, Reason]] = [
    # Unknown and locked.
    ("never seen", running(seen_at=None, **FULL, **GONE), STAY, Reason.UNKNOWN),
    ("seen too long ago", running(seen_at=ago(4), **FULL, **GONE), STAY, Reason.UNKNOWN),
    ("seen just in time", running(seen_at=ago(3), **FULL, **GONE), STOP, Reason.HOURS),
    ("seen in the future", running(seen_at=ahead(1), **FULL, **GONE), STAY, Reason.UNKNOWN),
    ("status unknown", running(status="unknown", **FULL, **GONE), STAY, Reason.UNKNOWN),
    ("unknown in a lesson", running(status="unknown", lessons=(NOW_ON,)), STAY, Reason.UNKNOWN),
    ("stopped, seen too long ago", stopped(seen_at=ago(4), lessons=(NOW_ON,)), STAY, Reason.UNKNOWN),
    ("being backed up", running(lock="backup", **FULL, **GONE), STAY, Reason.LOCKED),
    ("locked in a lesson", stopped(lock="clone", lessons=(NOW_ON,)), STAY, Reason.LOCKED),
    ("operation in progress", running(has_operation=True, **FULL, **GONE), STAY, Reason.BUSY),
    ("start in progress", stopped(has_operation=True, lessons=(NOW_ON,)), STAY, Reason.BUSY),
    ("locked and unknown", running(lock="backup", status="unknown"), STAY, Reason.UNKNOWN),
    ("locked with an operation", running(lock="snapshot", has_operation=True), STAY, Reason.LOCKED),
    # Do not stop.
    ("tagged", running(is_tagged=True, **FULL, **GONE), STAY, Reason.DO_NOT_STOP),
    ("switch of a teacher", running(do_not_stop_until=ahead(60), **FULL, **GONE), STAY, Reason.DO_NOT_STOP),
    ("own switch, after a lesson", running(lessons=(OVER,), **ALONE, **FULL), STAY, Reason.DO_NOT_STOP),
    ("own switch, idle", running(**ALONE, **IDLE, **FULL), STAY, Reason.DO_NOT_STOP),
    ("own switch, hours used up", running(**ALONE, **FULL, **GONE), STOP, Reason.HOURS),
    ("own switch, hours used up, no notice", running(**ALONE, **GONE), NOTIFY, Reason.NOTICE),
    ("own switch in a lesson", running(lessons=(NOW_ON,), **ALONE, **GONE), RUN, Reason.LESSON),
    ("own switch, nothing due", running(**ALONE), STAY, Reason.DO_NOT_STOP),
    ("own switch ends now", running(left_alone_until=NOW, lessons=(OVER,), **FULL), STOP, Reason.LESSON_OVER),
    (
        "own switch and a teacher's",
        running(do_not_stop_until=ahead(5), **ALONE, **FULL, **GONE),
        STAY,
        Reason.DO_NOT_STOP,
    ),
    ("switch ends now", running(do_not_stop_until=NOW, **FULL, **GONE), STOP, Reason.HOURS),
    ("switch has ended", running(do_not_stop_until=ago(1), **FULL, **GONE), STOP, Reason.HOURS),
    ("tagged, after a lesson", running(is_tagged=True, lessons=(OVER,), **FULL), STAY, Reason.DO_NOT_STOP),
    ("tagged and idle", running(is_tagged=True, **IDLE, **FULL), STAY, Reason.DO_NOT_STOP),
    ("tagged, stopped, in a lesson", stopped(is_tagged=True, lessons=(NOW_ON,)), RUN, Reason.LESSON),
    # Lessons that are running.
    ("in a lesson", running(lessons=(NOW_ON,)), RUN, Reason.LESSON),
    ("in a lesson, hours used up", running(lessons=(NOW_ON,), **FULL, **GONE), RUN, Reason.LESSON),
    ("in a lesson, idle", running(lessons=(NOW_ON,), **IDLE, **FULL), RUN, Reason.LESSON),
    ("in a lesson that starts nothing", running(lessons=(lesson(-9, 9, starts=False),)), STAY, Reason.LESSON),
    ("in a lesson that stops nothing", running(lessons=(lesson(-9, 9, stops=False),)), RUN, Reason.LESSON),
    ("first moment of a lesson", running(lessons=(lesson(0, 45),), **FULL, **GONE), RUN, Reason.LESSON),
    ("last minute of a lesson", running(lessons=(lesson(-45, 1),), **FULL, **GONE), RUN, Reason.LESSON),
    ("end of a lesson", running(lessons=(lesson(-45, 0),), **FULL), STOP, Reason.LESSON_OVER),
    ("one over, another running", running(lessons=(OVER, NOW_ON), **FULL), RUN, Reason.LESSON),
    ("another class's lesson", running(rules=RULES_OFF, lessons=(NOW_ON,), **FULL, **GONE), RUN, Reason.LESSON),
    ("overlapping lessons", running(lessons=(lesson(-50, 5), lesson(-10, 40))), RUN, Reason.LESSON),
    ("lesson over midnight", running(lessons=(lesson(-120, 600),), **FULL, **GONE), RUN, Reason.LESSON),
    ("back to back", running(lessons=(lesson(-45, 0), lesson(0, 45)), **FULL), RUN, Reason.LESSON),
    # Starts.
    ("stopped in a lesson", stopped(lessons=(NOW_ON,)), RUN, Reason.LESSON),
    ("stopped before a lesson", stopped(lessons=(lesson(30, 75),)), STAY, Reason.NOTHING),
    ("start is due", stopped(lessons=(lesson(5, 50, start_at=NOW),)), RUN, Reason.LESSON),
    ("start was due", stopped(lessons=(lesson(5, 50, start_at=ago(3)),)), RUN, Reason.LESSON),
    ("start is due later", stopped(lessons=(lesson(5, 50, start_at=ahead(1)),)), STAY, Reason.NOTHING),
    ("stopped at the end of a lesson", stopped(lessons=(lesson(-45, 0),)), STAY, Reason.NOTHING),
    ("stopped after a lesson", stopped(lessons=(OVER,)), STAY, Reason.NOTHING),
    ("lesson that only stops", stopped(lessons=(lesson(-9, 9, starts=False),)), STAY, Reason.NOTHING),
    ("class starts nothing", stopped(lessons=(NOW_ON,), rules=replace(ALL_RULES, starts=False)), STAY, Reason.NOTHING),
    ("nobody has the machine", stopped(lessons=(NOW_ON,), has_person=False), STAY, Reason.NOTHING),
    (
        "nobody has it, the class starts all",
        stopped(lessons=(NOW_ON,), has_person=False, rules=replace(ALL_RULES, starts_without_person=True)),
        RUN,
        Reason.LESSON,
    ),
    ("hours used up, stopped in a lesson", stopped(lessons=(NOW_ON,), **GONE), RUN, Reason.LESSON),
    ("paused in a lesson", running(status="paused", lessons=(NOW_ON,)), RUN, Reason.LESSON),
    ("no lesson at all", stopped(), STAY, Reason.NOTHING),
    # Kept.
    ("kept, hours used up", running(kept_until=ahead(40), **FULL, **GONE), STAY, Reason.KEPT),
    ("kept, lesson over", running(kept_until=ahead(40), lessons=(OVER,), **FULL), STAY, Reason.KEPT),
    ("kept, idle", running(kept_until=ahead(40), **IDLE, **FULL), STAY, Reason.KEPT),
    ("kept until now", running(kept_until=NOW, **FULL, **GONE), STOP, Reason.HOURS),
    ("kept until earlier", running(kept_until=ago(1), lessons=(OVER,), **FULL), STOP, Reason.LESSON_OVER),
    # Notices.
    ("no notice yet", running(**GONE), NOTIFY, Reason.NOTICE),
    ("notice just given", running(notice=Notice(minutes(0), minutes(0), NOW), **GONE), NOTIFY, Reason.NOTICE),
    ("notice half through", running(notice=Notice(minutes(5), minutes(0), NOW), **GONE), NOTIFY, Reason.NOTICE),
    ("notice nearly full", running(notice=Notice(minutes(9.9), minutes(4.9), NOW), **GONE), NOTIFY, Reason.NOTICE),
    ("shown, but no reminder", running(notice=Notice(minutes(30), minutes(0), NOW), **GONE), NOTIFY, Reason.NOTICE),
    ("reminder too short", running(notice=Notice(minutes(12), minutes(4), NOW), **GONE), NOTIFY, Reason.NOTICE),
    ("full notice", running(**FULL, **GONE), STOP, Reason.HOURS),
    (
        "confirmed a minute ago",
        running(notice=Notice(minutes(10), minutes(5), ago(1)), **GONE),
        STOP,
        Reason.HOURS,
    ),
    (
        "the portal was off since",
        running(notice=Notice(minutes(10), minutes(5), ago(2)), **GONE),
        NOTIFY,
        Reason.NOTICE,
    ),
    (
        "notice of a restored backup",
        running(notice=Notice(minutes(10), minutes(5), ago(6 * 60)), **GONE),
        NOTIFY,
        Reason.NOTICE,
    ),
    (
        "the clock was set back",
        running(notice=Notice(minutes(10), minutes(5), ahead(60)), **GONE),
        NOTIFY,
        Reason.NOTICE,
    ),
    ("full notice without a reason", running(**FULL), STAY, Reason.NOTHING),
    # Hours.
    ("a minute is left", running(hours_left=minutes(1), **FULL), STAY, Reason.NOTHING),
    ("less than none left", running(hours_left=minutes(-5), **FULL), STOP, Reason.HOURS),
    ("no limit", running(hours_left=None, **FULL), STAY, Reason.NOTHING),
    ("hours used up, paused", running(status="paused", **FULL, **GONE), STAY, Reason.NOTHING),
    ("hours used up, stopped", stopped(**GONE), STAY, Reason.NOTHING),
    ("hours before the end of a lesson", running(lessons=(OVER,), **FULL, **GONE), STOP, Reason.HOURS),
    ("hours before idle", running(**IDLE, **FULL, **GONE), STOP, Reason.HOURS),
    # The end of a lesson.
    ("lesson over", running(lessons=(OVER,), **FULL), STOP, Reason.LESSON_OVER),
    ("lesson over, no notice", running(lessons=(OVER,)), NOTIFY, Reason.NOTICE),
    ("over, and the class stops nothing", running(rules=RULES_OFF, lessons=(OVER,), **FULL), STAY, Reason.NOTHING),
    ("over, and it stops nothing", running(lessons=(lesson(-60, -5, stops=False),), **FULL), STAY, Reason.NOTHING),
    ("started after the lesson", running(lessons=(OVER,), running_since=ago(4), **FULL), STAY, Reason.NOTHING),
    ("started in the lesson", running(lessons=(OVER,), running_since=ago(40), **FULL), STOP, Reason.LESSON_OVER),
    ("start unknown", running(lessons=(OVER,), running_since=None, **FULL), STAY, Reason.NOTHING),
    (
        "over for 23 hours",
        running(lessons=(lesson(-1500, -1380),), running_since=ago(1490), **FULL),
        STOP,
        Reason.LESSON_OVER,
    ),
    ("over for a day", running(lessons=(lesson(-1500, -1440),), running_since=ago(1490), **FULL), STAY, Reason.NOTHING),
    ("in a break", running(lessons=(OVER, lesson(30, 75)), **FULL), STAY, Reason.NOTHING),
    ("the next lesson is later", running(lessons=(OVER, lesson(31, 75)), **FULL), STOP, Reason.LESSON_OVER),
    # Idle.
    ("idle", running(**IDLE, **FULL), STOP, Reason.IDLE),
    ("idle, no notice", running(**IDLE), NOTIFY, Reason.NOTICE),
    ("idle, agent asked before the notice", running(activity=NOT_ASKED), ASK, Reason.NOTHING),
    ("agent asked before a new notice", running(activity=NOT_ASKED, notice=GAP), ASK, Reason.NOTHING),
    ("agent not asked during the notice", running(activity=NOT_ASKED, notice=HALF), NOTIFY, Reason.NOTICE),
    ("agent asked before the stop", running(activity=NOT_ASKED, **FULL), ASK, Reason.NOTICE),
    ("agent not asked of busy machines", running(activity=quiet(10, users=Users.NOT_ASKED)), STAY, Reason.NOTHING),
    ("agent not asked in a lesson", running(activity=NOT_ASKED, lessons=(NOW_ON,), **FULL), RUN, Reason.LESSON),
    ("agent not asked when hours are used up", running(activity=NOT_ASKED, **FULL, **GONE), STOP, Reason.HOURS),
    (
        "agent lists somebody in the notice",
        running(activity=quiet(users=Users.LISTED), notice=HALF),
        STAY,
        Reason.NOTHING,
    ),
    ("input in the notice", running(activity=quiet(input_at=ago(0.1)), notice=HALF), STAY, Reason.NOTHING),
    ("load in the notice", running(activity=quiet(1), notice=HALF), STAY, Reason.NOTHING),
    ("figures end in the notice", running(activity=quiet(measured_at=ago(6)), notice=HALF), STAY, Reason.NOTHING),
    ("agent lists somebody", running(activity=quiet(users=Users.LISTED), **FULL), STAY, Reason.NOTHING),
    ("agent does not answer", running(activity=quiet(users=Users.NO_ANSWER), **FULL), STAY, Reason.NOTHING),
    ("nobody listed, but not quiet", running(activity=quiet(10), **FULL), STAY, Reason.NOTHING),
    (
        "nobody listed, and no figures",
        running(activity=Activity(users=Users.NOBODY_LISTED), **FULL),
        STAY,
        Reason.NOTHING,
    ),
    ("quiet since just now", running(activity=quiet(29), **FULL), STAY, Reason.NOTHING),
    ("quiet for exactly the span", running(activity=quiet(30), **FULL), STOP, Reason.IDLE),
    ("figures missing", running(activity=quiet(quiet_since=None), **FULL), STAY, Reason.NOTHING),
    ("figures too old", running(activity=quiet(measured_at=ago(5.1)), **FULL), STAY, Reason.NOTHING),
    ("figures five minutes old", running(activity=quiet(measured_at=ago(5)), **FULL), STOP, Reason.IDLE),
    ("input of the future", running(activity=quiet(input_at=ahead(9)), **FULL), STAY, Reason.NOTHING),
    ("quiet since the future", running(activity=quiet(-9), **FULL), STAY, Reason.NOTHING),
    ("figures of the future", running(activity=quiet(measured_at=ahead(4)), **FULL), STAY, Reason.NOTHING),
    ("never measured", running(activity=quiet(measured_at=None), **FULL), STAY, Reason.NOTHING),
    ("console with input", running(activity=quiet(input_at=ago(5)), **FULL), STAY, Reason.NOTHING),
    ("console without input for long", running(activity=quiet(input_at=ago(50)), **FULL), STOP, Reason.IDLE),
    ("console unknown", running(activity=quiet(console_known=False), **FULL), STAY, Reason.NOTHING),
    ("running for less than the span", running(running_since=ago(20), **IDLE, **FULL), STAY, Reason.NOTHING),
    ("start unknown and quiet", running(running_since=None, **IDLE, **FULL), STAY, Reason.NOTHING),
    ("no idle stops in the class", running(rules=Rules(starts=True, stops=True), **IDLE, **FULL), STAY, Reason.NOTHING),
    ("paused and quiet", running(status="paused", **IDLE, **FULL), STAY, Reason.NOTHING),
    ("idle after a lesson", running(lessons=(OVER,), **IDLE, **FULL), STOP, Reason.LESSON_OVER),
    ("idle, and a lesson begins soon", running(lessons=(lesson(30, 75),), **IDLE, **FULL), STAY, Reason.NOTHING),
    ("idle, and a lesson begins later", running(lessons=(lesson(31, 75),), **IDLE, **FULL), STOP, Reason.IDLE),
    # Nothing.
    ("in use", running(), STAY, Reason.NOTHING),
    ("every rule off", running(rules=RULES_OFF, **IDLE, **FULL), STAY, Reason.NOTHING),
    ("no class", running(rules=RULES_OFF, lessons=()), STAY, Reason.NOTHING),
]

# Clocks that change: whether a lesson by the clock on the wall is on at a UTC time.
Clock = tuple[str, str, str, str, str, str, bool]
CLOCKS: list[Clock] = [  # name, zone, day, from, to, UTC time, whether the lesson is on
    ("Madrid, winter, before", "Europe/Madrid", "2026-03-27", "09:00", "10:00", "2026-03-27T07:59", False),
    ("Madrid, winter, on", "Europe/Madrid", "2026-03-27", "09:00", "10:00", "2026-03-27T08:00", True),
    ("Madrid, winter, after", "Europe/Madrid", "2026-03-27", "09:00", "10:00", "2026-03-27T09:00", False),
    ("Madrid, summer, before", "Europe/Madrid", "2026-03-30", "09:00", "10:00", "2026-03-30T06:59", False),
    ("Madrid, summer, on", "Europe/Madrid", "2026-03-30", "09:00", "10:00", "2026-03-30T07:00", True),
    ("Madrid, summer, after", "Europe/Madrid", "2026-03-30", "09:00", "10:00", "2026-03-30T08:00", False),
    ("Madrid, over the skipped hour", "Europe/Madrid", "2026-03-29", "01:30", "03:30", "2026-03-29T01:10", True),
    ("Madrid, an hour shorter", "Europe/Madrid", "2026-03-29", "01:30", "03:30", "2026-03-29T01:30", False),
    ("Madrid, over the double hour", "Europe/Madrid", "2026-10-25", "01:30", "03:30", "2026-10-25T02:10", True),
    ("Madrid, an hour longer", "Europe/Madrid", "2026-10-25", "01:30", "03:30", "2026-10-25T02:30", False),
    ("Madrid, autumn, day after", "Europe/Madrid", "2026-10-26", "09:00", "10:00", "2026-10-26T08:30", True),
    ("Madrid, autumn, day before", "Europe/Madrid", "2026-10-24", "09:00", "10:00", "2026-10-24T07:30", True),
    ("New York, spring, day after", "America/New_York", "2026-03-09", "09:00", "10:00", "2026-03-09T13:00", True),
    ("New York, spring, day before", "America/New_York", "2026-03-07", "09:00", "10:00", "2026-03-07T13:30", False),
    ("New York, autumn, day after", "America/New_York", "2026-11-02", "09:00", "10:00", "2026-11-02T14:30", True),
    ("New York, autumn, day before", "America/New_York", "2026-10-31", "09:00", "10:00", "2026-10-31T13:30", True),
    ("Sydney, October, day after", "Australia/Sydney", "2026-10-05", "09:00", "10:00", "2026-10-04T22:30", True),
    ("Sydney, April, day after", "Australia/Sydney", "2026-04-06", "09:00", "10:00", "2026-04-05T23:30", True),
    ("Lord Howe, half an hour", "Australia/Lord_Howe", "2026-10-05", "09:00", "10:00", "2026-10-04T22:30", True),
    ("Kathmandu, odd minutes", "Asia/Kathmandu", "2026-03-30", "09:00", "10:00", "2026-03-30T03:15", True),
    ("Kathmandu, before", "Asia/Kathmandu", "2026-03-30", "09:00", "10:00", "2026-03-30T03:14", False),
    ("Mexico, without summer time", "America/Mexico_City", "2026-07-01", "09:00", "10:00", "2026-07-01T15:30", True),
]

# The order: each of these facts alone leads to its reason; of any two, the one that is further up decides.
ORDER: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.UNKNOWN, {"status": "unknown"}),
    (Reason.LOCKED, {"lock": "backup"}),
    (Reason.BUSY, {"has_operation": True}),
    (Reason.DO_NOT_STOP, {"is_tagged": True}),
    (Reason.LESSON, {"lessons": (OVER, NOW_ON)}),
    (Reason.KEPT, {"kept_until": ahead(30)}),
    (Reason.HOURS, {"hours_left": timedelta()}),
    (Reason.DO_NOT_STOP, {"left_alone_until": ahead(30)}),
    (Reason.LESSON_OVER, {"lessons": (OVER,)}),
    (Reason.IDLE, {"activity": quiet()}),
]
PAIRS = [
    (f"{first} before {second}", first, running(**FULL, **{**with_second, **with_first}))
    for place, (first, with_first) in enumerate(ORDER)
    for second, with_second in ORDER[place + 1 :]
]
STOPS = [(why, facts) for why, facts in ORDER if why in {Reason.HOURS, Reason.LESSON_OVER, Reason.IDLE}]
UNNOTIFIED = [
    (f"{why} waits for a notice {name}", why, running(notice=notice, **facts))
    for why, facts in STOPS
    for name, notice in (
        ("that is missing", None),
        ("that is new", Notice(minutes(0), minutes(0), NOW)),
        ("without a reminder", Notice(minutes(20), minutes(0), NOW)),
        ("with a short reminder", Notice(minutes(20), minutes(4.9), NOW)),
        ("shown too short", Notice(minutes(9.9), minutes(5), NOW)),
        ("that nobody confirmed", Notice(minutes(10), minutes(5), ago(1.1))),
        ("of another day", Notice(minutes(10), minutes(5), ago(1440))),
        ("of a clock that was ahead", Notice(minutes(10), minutes(5), ahead(0.1))),
    )
]
HARMLESS = [
    (f"{status} with {why} used up", running(status=status, **FULL, **facts))
    for status in ("paused", "suspended", "io-error", "guest-panicked", "shutdown", "prelaunch")
    for why, facts in STOPS
]


def names(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize(("name", "facts", "answer", "reason"), ROWS, ids=names(ROWS))
def test_what_a_machine_is_to_do(name: str, facts: Facts, answer: str, reason: Reason):
    assert (seen(name, facts), decide(facts).reason) == (answer, reason)


@pytest.mark.parametrize("clock", CLOCKS, ids=names(CLOCKS))
def test_lessons_follow_the_clock_on_the_wall(clock: Clock):
    _name, zone, day, begins, ends, at, is_on = clock
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert decide(stopped(now=now, lessons=(wall(zone, day, begins, ends),))).should_run is is_on


@pytest.mark.parametrize(("name", "first", "facts"), PAIRS, ids=names(PAIRS))
def test_of_two_reasons_the_first_decides(name: str, first: Reason, facts: Facts):
    assert decide(facts).reason == first, name


@pytest.mark.parametrize(("name", "why", "facts"), UNNOTIFIED, ids=names(UNNOTIFIED))
def test_nothing_stops_without_a_full_notice(name: str, why: Reason, facts: Facts):
    found = decide(facts)
    assert (found.should_stop, found.notice_for, found.reason) == (False, why, Reason.NOTICE), name


@pytest.mark.parametrize(("name", "facts"), HARMLESS, ids=names(HARMLESS))
def test_only_machines_that_are_running_are_stopped(name: str, facts: Facts):
    assert not decide(facts).should_stop, name


def test_the_table_is_large():
    assert len({*names(ROWS), *names(CLOCKS), *names(PAIRS), *names(UNNOTIFIED), *names(HARMLESS)}) >= 200


@pytest.mark.parametrize(
    ("facts", "may_run"),
    [
        (stopped(**GONE), False),
        (stopped(hours_left=minutes(1)), True),
        (stopped(hours_left=None), True),
        (stopped(lessons=(NOW_ON,), **GONE), True),
        (stopped(lessons=(lesson(10, 20),), **GONE), False),
        (running(kept_until=ahead(9), **GONE), False),
        (running(status="unknown", **GONE), False),
    ],
)
def test_at_zero_hours_a_machine_may_run_in_lessons_only(facts: Facts, may_run: bool):
    assert decide(facts).may_run is may_run


@pytest.mark.parametrize(
    ("facts", "until"),
    [
        (running(lessons=(lesson(-50, 5), lesson(-10, 40))), ahead(40)),
        (running(kept_until=ahead(7), **GONE), ahead(7)),
        (running(do_not_stop_until=ahead(9), **GONE), ahead(9)),
        (running(left_alone_until=ahead(9), **IDLE), ahead(9)),
        (running(is_tagged=True), None),
        (running(notice=Notice(minutes(4), minutes(0), NOW), **GONE), ahead(6)),
        (running(notice=Notice(minutes(9), minutes(3), NOW), **GONE), ahead(2)),
        (running(**GONE), ahead(10)),
    ],
)
def test_it_says_until_when(facts: Facts, until: datetime | None):
    assert decide(facts).until == until


@pytest.mark.parametrize(
    ("facts", "at"),
    [
        (stopped(lessons=(lesson(60, 90, start_at=ahead(50)),)), ahead(50)),
        (running(lessons=(lesson(60, 90),)), ahead(5)),
        (running(lessons=(lesson(-60, 2),)), ahead(2)),
        (running(kept_until=ahead(40), **GONE), ahead(40)),
        (running(**GONE), NOW),
        (running(status="unknown"), ahead(3)),
    ],
)
def test_it_says_when_to_look_again(facts: Facts, at: datetime):
    assert decide(facts).next_look == at
