"""Compares what happened in a month with the plan. What the clusters did counts, not what the portal says of it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from classes.models import StopNotice, UsedTime
from classes.timetable import decision
from classes.timetable.decision import CONFIRMED_WITHIN, NOTICE
from tests.bench.month_plan import Evening, Lesson
from tests.bench.month_play import Span, Story
from tests.bench.month_school import Done
from vms.models import Operation

MINUTE = timedelta(minutes=1)
LEAD = timedelta(minutes=30)  # nothing is started earlier
SLOWER = MINUTE  # a start that takes longer than those before makes a machine late by so much at most
LATE_STARTS = timedelta(minutes=10)
OFF_WITHIN = NOTICE + timedelta(minutes=3)
ASKED_WITHIN = timedelta(minutes=3)  # how old the state of a cluster may be
IDLE_AFTER, IDLE_WITHIN = timedelta(minutes=30), timedelta(minutes=8)  # figures come minutes late
BOOT = timedelta(seconds=90)

WORDS = {
    decision.Reason.LESSON_OVER: "after a notice: the lesson is over",
    decision.Reason.HOURS: "after a notice: the hours are used up",
    decision.Reason.IDLE: "after a notice: nobody used it",
    "": "without a notice",
}


@dataclass
class Findings:
    """`broken` are the promises that were not kept, in words. `late` and `left_on` count machines by reason.

    `delays` are seconds of the late ones that came, by reason.
    """

    lessons: int = 0
    machines: int = 0  # of all lessons
    late: Counter[str] = field(default_factory=Counter)
    delays: dict[str, list[float]] = field(default_factory=dict)
    stops: Counter[str] = field(default_factory=Counter)
    left_on: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Findings") -> None:
        self.lessons, self.machines = self.lessons + other.lessons, self.machines + other.machines
        self.late, self.stops, self.left_on = (
            self.late + other.late, self.stops + other.stops, self.left_on + other.left_on,
        )  # fmt: skip
        self.broken += other.broken
        for why, delays in other.delays.items():
            self.delays.setdefault(why, []).extend(delays)
        self.told = {name: self.told.get(name, 0) + count for name, count in other.told.items()}


def check(story: Story, lessons: list[Lesson]) -> Findings:
    return _Check(story, lessons).found


class _Check:
    def __init__(self, story: Story, lessons: list[Lesson]) -> None:
        self.story, self.school, self.lessons = story, story.school, lessons
        self.found, self.evenings = Findings(), story.school.plan.evenings()
        self.origins = dict(Operation.objects.exclude(upid="").values_list("upid", "origin"))
        self.by_group: dict[int, list[Lesson]] = {}
        for lesson in lessons:
            self.by_group.setdefault(lesson.number, []).append(lesson)
        self.done: dict[int, list[Done]] = {}
        for one in story.school.done:
            self.done.setdefault(one.vmid, []).append(one)
        self.group_of = {vmid: group for group in self.school.plan.groups for vmid in group.machines}
        for one in story.school.done:
            if one.what != "start":
                self._check_stop(one)
        for lesson in lessons:
            self.found.lessons += 1
            for vmid in self.school.plan.groups[lesson.number].machines:
                self._check_start(lesson, vmid)
                self._check_off(lesson, vmid)
        for evening in self.evenings:
            self._check_evening(evening)
        self._tell()

    # Stops

    def _is_by_portal(self, done: Done) -> bool:
        """What no person is known to have asked for counts as the portal's own."""
        return self.origins.get(done.upid) != Operation.Origin.PERSON

    def _check_stop(self, done: Done) -> None:
        if not self._is_by_portal(done):
            self.found.stops["a person shut it down"] += 1
            return
        notice = StopNotice.objects.filter(operation__upid=done.upid).first()
        reason = notice.reason if notice else ""
        self.found.stops[WORDS[reason]] += 1
        what = f"{done.begun:%m-%d %H:%M:%S} UTC, machine {done.vmid}:"
        if any(one.begins <= done.begun < one.ends for one in self._lessons_of(done.vmid)):
            self.found.broken.append(f"{what} stopped in a lesson")
        if reason == decision.Reason.IDLE and done.begun < self._used_until(done) + IDLE_AFTER + NOTICE:
            self.found.broken.append(f"{what} stopped although it was used lately")
        shown = self._shown_before(done)
        if shown < NOTICE:
            self.found.broken.append(f"{what} stopped after a notice of {shown.total_seconds():.0f} s")
        if any(first <= done.begun < last - MINUTE for first, last in self._left_on(done.vmid, reason)):
            self.found.broken.append(f"{what} stopped although its person kept it on")

    def _used_until(self, done: Done) -> datetime:
        """Until when somebody used the machine before it was stopped, or when it was started."""
        up_since = max(one.ended for one in self.done[done.vmid] if one.what == "start" and one.ended <= done.begun)
        used = (one for one in self.evenings if one.vmid == done.vmid and one.begins <= done.begun)
        return max([up_since, *(min(one.quiet_from, done.begun) for one in used)])

    def _check_evening(self, evening: Evening) -> None:
        """It is off in the end."""
        due = max(evening.quiet_from, evening.begins + BOOT) + IDLE_AFTER + NOTICE + IDLE_WITHIN
        since = self._up_since(evening.vmid, due)
        if since is None or since > evening.quiet_from + BOOT:
            return
        lesson = Lesson(self.group_of[evening.vmid].number, evening.begins, evening.quiet_from)
        why = self._why_on(lesson, evening.vmid, due)
        self.found.left_on[why or "idle, without a reason"] += 1
        if not why:
            self.found.broken.append(f"{evening.begins:%m-%d} UTC, machine {evening.vmid}: left on although it is idle")

    def _left_on(self, vmid: int, reason: str) -> list[Span]:
        alone = [] if reason == decision.Reason.HOURS else self.story.left_alone.get(vmid, [])
        return [*self.story.held.get(vmid, []), *alone]

    def _shown_before(self, done: Done) -> timedelta:
        """How long the notice was shown without a gap, by what pages showed while a worker was there."""
        shown = self.story.shown.get(done.vmid, [])
        at = bisect_right(shown, done.begun) - 1
        if at < 0 or done.begun - shown[at] > CONFIRMED_WITHIN:
            return timedelta()
        first = at
        while first and shown[first] - shown[first - 1] <= CONFIRMED_WITHIN:
            first -= 1
        return done.begun - shown[first]

    # Starts

    def _check_start(self, lesson: Lesson, vmid: int) -> None:
        self.found.machines += 1
        up_at = self._up_since(vmid, lesson.begins)
        if up_at is not None:
            return
        began = next(
            (one for one in self.done.get(vmid, []) if one.what == "start" and one.ended > lesson.begins), None
        )
        came = began.ended if began and began.ended < lesson.begins + LATE_STARTS + LEAD else None
        why = self._why_late(lesson, vmid, came)
        self.found.late[why or "without a reason"] += 1
        if came:
            self.found.delays.setdefault(why or "without a reason", []).append((came - lesson.begins).total_seconds())
        if not why:
            when = f"ready {(came - lesson.begins).total_seconds():.0f} s late" if came else "not started"
            self.found.broken.append(f"{lesson.begins:%m-%d %H:%M} UTC, machine {vmid}: {when}, without a reason")

    def _why_late(self, lesson: Lesson, vmid: int, came: datetime | None) -> str:
        needed = (lesson.begins - LEAD, came or lesson.begins + LATE_STARTS)
        silent = self.story.silent.get(self.group_of[vmid].cluster, [])
        if any(_meets(span, (needed[0], needed[1] - ASKED_WITHIN)) for span in silent):
            return "the cluster was silent"
        if any(_meets(span, (lesson.begins - LATE_STARTS, needed[1])) for span in self.story.away):
            return "no worker was running"
        if came and came - lesson.begins <= SLOWER:
            return "its start took longer than those before"
        return ""

    def _up_since(self, vmid: int, moment: datetime) -> datetime | None:
        """Since when it is on, at this moment. None: it is off."""
        last = None
        for one in self.done.get(vmid, []):
            if one.ended <= moment:
                last = one
        return last.ended if last and last.what == "start" else None

    def _lessons_of(self, vmid: int) -> list[Lesson]:
        return self.by_group.get(self.group_of[vmid].number, [])

    # What is on afterwards

    def _check_off(self, lesson: Lesson, vmid: int) -> None:
        due = lesson.ends + OFF_WITHIN
        since = self._up_since(vmid, due)
        if since is None or since > lesson.ends:
            return
        why = self._why_on(lesson, vmid, due)
        self.found.left_on[why or "without a reason"] += 1
        if not why:
            self.found.broken.append(f"{lesson.ends:%m-%d %H:%M} UTC, machine {vmid}: left on without a reason")

    def _why_on(self, lesson: Lesson, vmid: int, due: datetime) -> str:
        if any(one.begins <= due and one.ends > lesson.ends for one in self._lessons_of(vmid)):
            return "the next lesson"
        if any(one.ends < one.begins or lesson.ends < one.begins <= due + LEAD for one in self._lessons_of(vmid)):
            return "the next lesson"
        if any(_meets(span, (lesson.ends, due)) for span in self._left_on(vmid, "")):
            return "its person kept it on"
        silent = self.story.silent.get(self.group_of[vmid].cluster, [])
        if any(_meets(span, (lesson.ends, due)) for span in silent):
            return "the cluster was silent"
        if any(_meets(span, (lesson.ends - MINUTE, due)) for span in self.story.away):
            return "no worker was running: the notice began again"
        return ""

    def _tell(self) -> None:
        limited = [group for group in self.school.plan.groups if group.is_limited]
        counted = sum(UsedTime.objects.values_list("minutes", flat=True))
        real = sum(self._minutes_of_own_use(vmid) for group in limited for vmid in group.machines)
        self.found.told = {
            "looks of the worker": self.story.ticks,
            "workers that were killed": self.story.kills,
            "minutes without a worker": round(_sum(self.story.away) / MINUTE),
            "notices that were answered by Keep 1 h": self.story.kept,
            "starts that were refused: hours used up": len(self.story.refused),
            "minutes of own use that were counted": counted,
            "minutes of own use": round(real),
        }
        if counted > real + sum(len(self.done.get(vmid, [])) for group in limited for vmid in group.machines):
            self.found.broken.append(f"{counted} minutes of own use were counted, of {real:.0f}")

    def _minutes_of_own_use(self, vmid: int) -> float:
        """On, and not in a lesson."""
        total, since = timedelta(), None
        for one in self.done.get(vmid, []):
            if one.what == "start":
                since = one.ended
            elif since:
                taught = (_overlap((since, one.ended), (it.begins, it.ends)) for it in self._lessons_of(vmid))
                total += one.ended - since - sum(taught, timedelta())
                since = None
        return total / MINUTE


def _meets(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _overlap(one: Span, other: Span) -> timedelta:
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))


def _sum(spans: Iterable[Span]) -> timedelta:
    return sum((last - first for first, last in spans), timedelta())
