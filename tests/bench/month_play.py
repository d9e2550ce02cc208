"""Plays the month of a plan: the worker's ticks, what students do, workers that are killed, and a cluster's silence."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from classes.models import StopNotice
from classes.timetable import notices, starting
from tests.bench.month_plan import DAY, HOLIDAY, HOME, HOME_FROM, SILENT_DAY, Group, Lesson
from tests.bench.month_school import School
from tests.bench.simulated import Worker, World
from vms import operations
from vms.models import Operation

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
EXPECTING, NOTIFYING, USING, QUIET = 10 * SECOND, 20 * SECOND, MINUTE, 10 * MINUTE
LONGEST = timedelta(hours=6)

# What students do, of a hundred: shut their machine down before the end, or in the middle of a lesson.
LEAVE_EARLY, TURN_OFF, KEEP, HOLD = 8, 2, 4, 1
KILLS_A_DAY = 2
LONGEST_AWAY = 20 * MINUTE

Span = tuple[datetime, datetime]


@dataclass
class Story:
    """What happened, to be compared with the plan.

    `shown` are the moments at which a worker saw to it that a machine's notice is shown, by VMID. `away` are
    the times without a worker, `silent` those without an answer, by cluster. `held` is *Keep 1 h* and `left_alone` a
    student's *Do not stop*, which does not hold when hours are used up.
    """

    school: School
    ticks: int = 0
    kills: int = 0
    away: list[Span] = field(default_factory=list)
    silent: dict[str, list[Span]] = field(default_factory=dict)
    shown: dict[int, list[datetime]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    kept: int = 0
    held: dict[int, list[Span]] = field(default_factory=dict)
    left_alone: dict[int, list[Span]] = field(default_factory=dict)


class Play:
    def __init__(self, world: World, school: School, lessons: list[Lesson]) -> None:
        self.world, self.school, self.plan, self.lessons = world, school, school.plan, lessons
        self.story = Story(school)
        self.chance = random.Random(school.plan.seed)  # noqa: S311 - the same month in every run
        self.worker: Worker | None = Worker(world)
        self.back_at = world.now
        self._will_die = False
        self._asked: set[int] = set()
        self._numbers = itertools.count()
        self._coming: list[tuple[datetime, int, Callable[[], object]]] = []
        self._of_group = {
            group.number: [one for one in lessons if one.number == group.number] for group in self.plan.groups
        }
        self._next = 0  # the first lesson whose machines are not all up
        self._plan_days()

    def run(self) -> Story:
        ends = datetime.combine(self.plan.last + DAY, time(2), UTC)
        while self.world.now < ends:
            while self._coming and self._coming[0][0] <= self.world.now:
                heapq.heappop(self._coming)[2]()
            self._tick()
            self.world.pass_to(min(self._until(), ends))
        return self.story

    # What comes

    def _at(self, moment: datetime, act: Callable[[], object]) -> None:
        heapq.heappush(self._coming, (moment, next(self._numbers), act))

    def _plan_days(self) -> None:
        for lesson in self.lessons:
            for vmid in self.plan.groups[lesson.number].machines:
                self._plan_student(lesson, vmid)
        for kill in range(KILLS_A_DAY * len({lesson.begins.date() for lesson in self.lessons})):
            lesson = self.lessons[kill * 7919 % len(self.lessons)]
            edge = self.chance.choice((lesson.begins - 4 * MINUTE, lesson.ends))
            self._at(edge + self.chance.uniform(0, 10) * MINUTE, self._doom)
        for group in self.plan.groups:
            if group.is_limited:
                self._plan_own_use(group)
        for evening in self.plan.evenings():
            self._at(evening.begins, lambda vmid=evening.vmid: self._ask(vmid, "start"))  # type: ignore[misc]
        if self.plan.first <= SILENT_DAY <= self.plan.last:
            name = self.plan.clusters[-1]
            begins = datetime.combine(SILENT_DAY, time(), ZoneInfo(HOME)).astimezone(UTC)
            self.story.silent[name] = [(begins, begins + DAY)]
            self._at(begins, lambda: self.world.silent.add(name))
            self._at(begins + DAY, lambda: self.world.silent.discard(name))

    def _plan_student(self, lesson: Lesson, vmid: int) -> None:
        drawn = self.chance.uniform(0, 100)
        if drawn < LEAVE_EARLY:
            self._at(lesson.ends - 10 * MINUTE, lambda: self._ask(vmid, "shutdown"))
        elif drawn < LEAVE_EARLY + TURN_OFF:
            self._at(lesson.begins + 20 * MINUTE, lambda: self._ask(vmid, "shutdown"))
        elif drawn < LEAVE_EARLY + TURN_OFF + HOLD:
            self._at(lesson.ends - 5 * MINUTE, lambda: self._hold(vmid))

    def _plan_own_use(self, group: Group) -> None:
        """On three afternoons a week for 75 minutes: the hours end in the second, and the third is refused."""
        day = self.plan.first
        while day <= self.plan.last:
            if day.weekday() < 3 and day != HOLIDAY:
                begins = datetime.combine(day, HOME_FROM, ZoneInfo(HOME)).astimezone(UTC)
                vmid = group.machines[0]
                self._at(begins, lambda vmid=vmid: self._ask(vmid, "start"))  # type: ignore[misc]
                self._at(begins + 75 * MINUTE, lambda vmid=vmid: self._ask(vmid, "shutdown"))  # type: ignore[misc]
            day += DAY

    # What people do

    def _ask(self, vmid: int, action: str) -> None:
        """By the pages' own function. A machine that is off already is left alone."""
        machine, person = self.school.machines[vmid], self.school.people[vmid]
        machine.refresh_from_db()
        if (machine.status == "running") != (action == "shutdown"):
            return
        try:
            operations.request(machine, action, by=person, unlimited=True)
        except operations.Refused as refusal:
            self.story.refused.append(str(refusal))

    def _hold(self, vmid: int) -> None:
        machine = self.school.machines[vmid]
        until = notices.hold(machine, by=self.school.people[vmid], hours=2)
        self.story.left_alone.setdefault(vmid, []).append((self.world.now, until))

    def _answer(self, notice: StopNotice) -> None:
        if notice.pk in self._asked:
            return
        self._asked.add(notice.pk)
        if self.chance.uniform(0, 100) < KEEP:
            self._at(self.world.now + self.chance.uniform(0, 9) * MINUTE, lambda: self._keep(notice.vm.vmid))

    def _keep(self, vmid: int) -> None:
        until = notices.keep(self.school.machines[vmid], by=self.school.people[vmid])
        if until:
            self.story.kept += 1
            self.story.held.setdefault(vmid, []).append((self.world.now, until))

    # The worker

    def _doom(self) -> None:
        self._will_die = True

    def _tick(self) -> None:
        if self.worker is None:
            if self.world.now < self.back_at:
                return
            self.worker = Worker(self.world)
        self.story.ticks += 1
        dies_after = self.chance.randrange(200) if self._will_die else None
        if self.worker.tick(dies_after=dies_after):
            self._look_at_notices()
            return
        for notice in StopNotice.objects.filter(ended_at=None, confirmed_at=self.world.now).select_related("vm"):
            self._note(notice)  # as far as it came
        self._will_die, self.worker = False, None
        self.story.kills += 1
        self.back_at = self.world.now + self.chance.uniform(0.01, 1) ** 3 * LONGEST_AWAY
        self.story.away.append((self.world.now, self.back_at))

    def _look_at_notices(self) -> None:
        """The rows that pages show."""
        self._open = list(StopNotice.objects.filter(ended_at=None).select_related("vm"))
        for notice in self._open:
            if notice.confirmed_at == self.world.now:
                self._note(notice)
            if notice.operation_id is None:
                self._answer(notice)

    def _note(self, notice: StopNotice) -> None:
        self.story.shown.setdefault(notice.vm.vmid, []).append(self.world.now)

    # How far time may pass

    _open: list[StopNotice] = []

    def _until(self) -> datetime:
        """Until something may happen: looks at which nothing is due are passed over."""
        now = self.world.now
        wanted = [now + self._pause(now)]
        wanted += [self._coming[0][0]] if self._coming else []
        while self._next < len(self.lessons) and self.lessons[self._next].begins + starting.LATE_STARTS <= now:
            self._next += 1
        for lesson in self.lessons[self._next :]:
            edges = (lesson.begins - starting.LEAD, lesson.begins)
            wanted += [edge for edge in edges if edge > now]
            if lesson.begins > now:
                break
        # And once more, because the first look after a pause may know no state that is new enough to act on.
        ended = (lesson.ends for lesson in self.lessons[max(0, self._next - 60) :][:120])
        wanted += [edge for end in ended for edge in (end, end + NOTIFYING) if edge > now]
        if self.worker is None and self.back_at > now:
            wanted.append(self.back_at)
        return max(now + SECOND, min(wanted))

    def _pause(self, now: datetime) -> timedelta:
        expected = set(Operation.objects.open().values_list("action", flat=True))
        if Operation.Action.START in expected:
            return EXPECTING
        if expected or self._open:
            return NOTIFYING
        if self._next < len(self.lessons) and self.lessons[self._next].begins - starting.LEAD <= now:
            starts = starting.outlook(timezone.now()).starts
            due = [start.at for start in starts if start.node[0] not in self.world.silent]
            if due:
                return max(EXPECTING, min(due) - EXPECTING - now)
        up = {vmid for vmid, machine in self._up().items() if machine}
        if not up:
            return LONGEST
        return USING if any(self._is_watched(vmid, now) for vmid in up) else QUIET

    def _up(self) -> dict[int, bool]:
        found = {}
        for cluster in self.world.simulator.clusters.values():
            found |= {vmid: guest.status == "running" for vmid, guest in cluster.statd.guests.items()}
        return found

    def _is_watched(self, vmid: int, now: datetime) -> bool:
        """Whether this minute of a machine that is on counts as own use, or as idle: not in its lessons."""
        group = self.plan.groups[(vmid - 100) // len(self.plan.groups[0].machines)]
        return bool(group.is_limited or group.idle_minutes) and not any(
            one.begins <= now < one.ends for one in self._of_group[group.number]
        )


def play(world: World, school: School, lessons: list[Lesson]) -> Story:
    return Play(world, school, lessons).run()
