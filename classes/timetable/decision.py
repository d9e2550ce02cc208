"""Should this machine run now, may it, should it stop, why, and until when: one function of facts, without a database.

The order of the reasons is in docs/timetable.md: unknown or locked → do not stop → a lesson is running → kept → notice
pending → hours → left alone → lesson over → idle. The first that applies decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# An observation that is older counts as none.
OBSERVED_WITHIN = timedelta(minutes=3)

# Figures of CPU and network that are older count as missing. A cluster gives averages of a minute, up to two minutes
# late; of many machines, each is read every two minutes; and one read may fail.
MEASURED_WITHIN = timedelta(minutes=5)

# A notice is shown for so long before a stop, and again when so much is left.
NOTICE = timedelta(minutes=10)
REMINDER = timedelta(minutes=5)

# A notice counts while the portal confirms it at least this often. After a longer gap (the portal was off, a backup
# was restored, the clock jumped) it begins again.
CONFIRMED_WITHIN = timedelta(minutes=1)

# One confirmation counts for so much at most, so that a small jump of the clock shortens no notice noticeably.
LONGEST_STEP = timedelta(seconds=20)

# A lesson that ended longer ago is no reason to stop.
LESSON_OVER_WITHIN = timedelta(hours=24)

# A lesson that begins so soon needs the machines again: they stay on in a break, and idle ones, too.
BREAK = timedelta(minutes=30)

# The next look at a machine that nothing is due for.
LOOK_AGAIN = timedelta(minutes=5)


class Reason(StrEnum):
    UNKNOWN = "unknown"
    LOCKED = "locked"
    BUSY = "busy"
    DO_NOT_STOP = "do-not-stop"
    LESSON = "lesson"
    KEPT = "kept"
    NOTICE = "notice"
    HOURS = "hours"
    LESSON_OVER = "lesson-over"
    IDLE = "idle"
    NOTHING = "nothing"


class Users(StrEnum):
    """What the guest agent says about people who are logged in. An empty list proves nothing by itself.

    An agent that does not answer is a signal that is missing.
    """

    NOT_ASKED = "not-asked"
    NO_ANSWER = "no-answer"
    LISTED = "listed"
    NOBODY_LISTED = "nobody-listed"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson of any class that the machine is used in, exceptions and holidays applied, from `begins` to `ends`.

    `starts`, `stops`: whether it starts the machines, and whether they are stopped after it. `start_at` is when this
    machine has to be started to be ready at the beginning.
    """

    begins: datetime
    ends: datetime
    starts: bool = False
    stops: bool = False
    start_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """An open notice: how long it has been shown without a gap, altogether and since the reminder.

    `confirmed_at` is the last time that the portal showed it.
    """

    shown: timedelta
    reminded: timedelta
    confirmed_at: datetime

    def counts(self, now: datetime) -> bool:
        return self.confirmed_at <= now <= self.confirmed_at + CONFIRMED_WITHIN

    @property
    def is_full(self) -> bool:
        return self.shown >= NOTICE and self.reminded >= REMINDER

    @property
    def is_reminder(self) -> bool:
        """Whether it is shown for the second time."""
        return self.shown >= NOTICE - REMINDER


def confirmed(notice: Notice | None, now: datetime) -> Notice:
    """The notice after the portal showed it at this time: longer by the step since then, or begun again after a gap."""
    if notice is None or not notice.counts(now):
        return Notice(timedelta(), timedelta(), now)
    step = min(now - notice.confirmed_at, LONGEST_STEP)
    reminded = notice.reminded + step if notice.is_reminder else timedelta()
    return Notice(notice.shown + step, reminded, now)


@dataclass(frozen=True, slots=True)
class Activity:
    """Evidence of use. None stands for a signal that is missing, which never counts as idle.

    `quiet_since`: low CPU and network since then, until `measured_at`. `input_at`: the last key or pointer event of a
    console. `console_known`: whether the portal knows of every console's input.
    """

    quiet_since: datetime | None = None
    measured_at: datetime | None = None
    input_at: datetime | None = None
    console_known: bool = True
    users: Users = Users.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Rules:
    """What the class of the machine allows the portal to do. By default nothing."""

    starts: bool = False
    starts_without_person: bool = False
    stops: bool = False
    idle_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine. `status` is the cluster's word as of `seen_at`; `hours_left` None means without a limit.

    `running_since` is None where it is not known. `lessons` are in the order of their beginnings. `do_not_stop_until`
    is set by who manages the machine, and holds against everything; `left_alone_until` by who has it, and holds against
    the end of a lesson and idleness: hours that are used up would otherwise mean nothing.
    """

    now: datetime
    status: str
    seen_at: datetime | None
    rules: Rules = Rules()
    lessons: tuple[Lesson, ...] = ()
    lock: str = ""
    has_operation: bool = False
    has_person: bool = True
    running_since: datetime | None = None
    is_tagged: bool = False
    do_not_stop_until: datetime | None = None
    left_alone_until: datetime | None = None
    kept_until: datetime | None = None
    notice: Notice | None = None
    activity: Activity = Activity()
    hours_left: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` and `until` say why the machine is as it is, or why it is to change, and how long that holds.

    `notice_for` is the reason to stop that a notice is given for, or that the stop is for. `asks_users`: the guest
    agent has to be asked before the notice is given, or before the stop.
    """

    reason: Reason
    should_run: bool = False
    may_run: bool = True
    should_stop: bool = False
    notice_for: Reason | None = None
    asks_users: bool = False
    until: datetime | None = None
    next_look: datetime | None = None


def decide(facts: Facts) -> Decision:
    """The first reason that applies."""
    lesson = _running_lesson(facts)
    may_run = lesson is not None or facts.hours_left is None or facts.hours_left > timedelta()
    if blocked := _blocked(facts):
        return Decision(blocked, may_run=may_run, next_look=facts.now + OBSERVED_WITHIN)
    if facts.status == "stopped":
        return _of_stopped(facts, may_run=may_run)
    if stays := _stays(facts, lesson, may_run=may_run):
        return stays
    why = _stop_reason(facts)
    if why != Reason.HOURS and _lasts(facts.left_alone_until, facts.now):
        until = facts.left_alone_until
        return Decision(Reason.DO_NOT_STOP, may_run=may_run, until=until, next_look=until)
    return _with_notice(facts, why, may_run=may_run)


def _stays(facts: Facts, lesson: Lesson | None, *, may_run: bool) -> Decision | None:
    """Why the machine is not stopped, whatever would be a reason to."""
    if facts.is_tagged or _lasts(facts.do_not_stop_until, facts.now):
        until = None if facts.is_tagged else facts.do_not_stop_until
        return Decision(Reason.DO_NOT_STOP, may_run=may_run, until=until, next_look=until)
    if lesson:
        return Decision(Reason.LESSON, should_run=lesson.starts, until=lesson.ends, next_look=lesson.ends)
    if _lasts(facts.kept_until, facts.now):
        return Decision(Reason.KEPT, may_run=may_run, until=facts.kept_until, next_look=facts.kept_until)
    return None


def _lasts(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _blocked(facts: Facts) -> Reason | None:
    """Why nothing at all may be done now."""
    seen_at, now = facts.seen_at, facts.now
    if facts.status == "unknown" or seen_at is None or not seen_at <= now <= seen_at + OBSERVED_WITHIN:
        return Reason.UNKNOWN
    if facts.lock:
        return Reason.LOCKED
    return Reason.BUSY if facts.has_operation else None


def _running_lesson(facts: Facts) -> Lesson | None:
    """The lesson that is running now; of several, the one that ends last."""
    running = [lesson for lesson in facts.lessons if lesson.begins <= facts.now < lesson.ends]
    return max(running, key=lambda lesson: lesson.ends) if running else None


def _of_stopped(facts: Facts, *, may_run: bool) -> Decision:
    """A lesson that has begun, or whose start is due, starts the machine."""
    rules = facts.rules
    if not rules.starts or not (facts.has_person or rules.starts_without_person):
        return Decision(Reason.NOTHING, may_run=may_run, next_look=facts.now + LOOK_AGAIN)
    for lesson in facts.lessons:
        if lesson.starts and (lesson.start_at or lesson.begins) <= facts.now < lesson.ends:
            return Decision(Reason.LESSON, should_run=True, until=lesson.ends, next_look=lesson.ends)
    coming = [lesson.start_at or lesson.begins for lesson in facts.lessons if lesson.starts]
    due = min((at for at in coming if at > facts.now), default=facts.now + LOOK_AGAIN)
    return Decision(Reason.NOTHING, may_run=may_run, next_look=due)


def _stop_reason(facts: Facts) -> Reason | None:
    if facts.status != "running":
        return None  # paused and the like: whoever paused it has a reason, and it uses no processor
    if facts.hours_left is not None and facts.hours_left <= timedelta():
        return Reason.HOURS
    if any(facts.now < lesson.begins <= facts.now + BREAK for lesson in facts.lessons):
        return None
    if facts.rules.stops and _ended_lesson(facts):
        return Reason.LESSON_OVER
    return Reason.IDLE if _is_idle(facts) else None


def _ended_lesson(facts: Facts) -> bool:
    """Whether the machine has been running since a lesson that stops its machines. Started later, it is left alone."""
    since, now = facts.running_since, facts.now
    ended = [lesson.ends for lesson in facts.lessons if lesson.stops]
    return since is not None and any(since <= end <= now < end + LESSON_OVER_WITHIN for end in ended)


def _is_idle(facts: Facts) -> bool:
    """Evidence over the whole span. What is missing is no evidence."""
    span, activity, now = facts.rules.idle_after, facts.activity, facts.now
    if span is None or facts.running_since is None or facts.running_since > now - span:
        return False
    if activity.quiet_since is None or activity.quiet_since > now - span:
        return False
    if activity.measured_at is None or not activity.measured_at <= now <= activity.measured_at + MEASURED_WITHIN:
        return False
    if not activity.console_known or (activity.input_at is not None and activity.input_at > now - span):
        return False
    return activity.users in {Users.NOT_ASKED, Users.NOBODY_LISTED}


def _with_notice(facts: Facts, why: Reason | None, *, may_run: bool) -> Decision:
    """Stop for this reason after a full notice; before that, have it shown."""
    notice, now = facts.notice, facts.now
    if why is None:
        return Decision(Reason.NOTHING, may_run=may_run, next_look=_next_look(facts))
    has_to_ask = why == Reason.IDLE and facts.activity.users == Users.NOT_ASKED
    if notice is None or not notice.counts(now):
        if has_to_ask:
            return Decision(Reason.NOTHING, may_run=may_run, asks_users=True, next_look=now)
        return Decision(Reason.NOTICE, may_run=may_run, notice_for=why, until=now + NOTICE, next_look=now)
    if not notice.is_full:
        left = max(NOTICE - notice.shown, REMINDER - notice.reminded)
        return Decision(Reason.NOTICE, may_run=may_run, notice_for=why, until=now + left, next_look=now)
    if has_to_ask:
        return Decision(Reason.NOTICE, may_run=may_run, notice_for=why, asks_users=True, until=now, next_look=now)
    return Decision(why, may_run=may_run, should_stop=True, notice_for=why, until=now, next_look=now)


def _next_look(facts: Facts) -> datetime:
    """The next end of a lesson, or a few minutes from now."""
    ends = [lesson.ends for lesson in facts.lessons if lesson.ends > facts.now]
    return min([*ends, facts.now + LOOK_AGAIN])
