"""Starts the machines of lessons before the bell: what the worker does every few seconds, and what comes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from classes.models import LabClass, LessonStart, RunningRules
from classes.timetable import bell, decision, lookups, machines
from classes.timetable.lookups import Due
from classes.timetable.machines import Row
from vms import operations
from vms.models import Operation, VirtualMachine

Action, State, Origin = Operation.Action, Operation.State, Operation.Origin

# Nobody starts earlier than this. A node starts dozens of machines in that time.
LEAD = timedelta(minutes=30)

# After the bell, machines that are still off are started for so long: later, whoever turned one off wanted it off.
LATE_STARTS = timedelta(minutes=10)

# After a longer gap between two looks, the worker was off.
OFF_AFTER = timedelta(minutes=1)

# The time of the last look is written this often.
NOTE_EVERY = timedelta(seconds=15)


@dataclass(frozen=True)
class Outlook:
    """All lessons whose machines start by themselves now, and what their machines need.

    `starts` are planned and not requested yet; `booting` those that were requested, by machine.
    """

    now: datetime
    lessons: Mapping[int, Due] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    rules: Mapping[int, RunningRules] = field(default_factory=dict)
    began: Mapping[int, LessonStart] = field(default_factory=dict)
    starts: tuple[bell.Start, ...] = ()
    booting: Mapping[int, bell.Booting] = field(default_factory=dict)
    limits: bell.Limits = field(default_factory=lambda: bell.Limits(1, 1, {}, {}))


def outlook(now: datetime) -> Outlook:
    """In a constant number of queries, whatever the number of classes and machines."""
    lessons: dict[int, Due] = {}
    for due in lookups.around(now, after=LEAD):
        if due.starts_machines:
            lessons.setdefault(due.lab_class, due)
    rules = {one.lab_class_id: one for one in RunningRules.objects.filter(lab_class__in=lessons, starts=True)}
    lessons = {lab_class: due for lab_class, due in lessons.items() if lab_class in rules}
    if not lessons:
        return Outlook(now)
    rows = [row for row in machines.rows(lessons) if row.person or rules[row.lab_class].starts_without_person]
    boots = machines.measured_starts(lessons)
    touched, booting = _operations(lessons, rows, boots)
    limits = machines.limits()
    began = _began(lessons)
    waiting = [
        bell.Waiting(row.pk, row.node, bell.expected_boot(boots.get(row.pk, [])), lessons[row.lab_class].starts_at)
        for row in rows
        if row.status == "stopped" and row.pk not in touched and _is_of_use(lessons, began, row, now)
    ]
    starts = tuple(bell.plan(waiting, limits))
    return Outlook(now, lessons, tuple(rows), rules, began, starts, booting, limits)


def _began(lessons: Mapping[int, Due]) -> dict[int, LessonStart]:
    found = LessonStart.objects.filter(lab_class__in=lessons, bell__in={due.starts_at for due in lessons.values()})
    return {row.lab_class_id: row for row in found if row.bell == lessons[row.lab_class_id].starts_at}


def _is_of_use(lessons: Mapping[int, Due], began: Mapping[int, LessonStart], row: Row, now: datetime) -> bool:
    """A worker that was off at the bell starts machines as long after its first look as another after the bell."""
    bell, known = lessons[row.lab_class].starts_at, began.get(row.lab_class)
    since = known.began_at if known and not _was_off(known, now) else now
    return now <= max(bell, since) + LATE_STARTS


def _was_off(known: LessonStart, now: datetime) -> bool:
    """Whether the worker has not looked lately, and not yet for as long after the bell as it starts machines."""
    last = known.looked_at
    return last is not None and last < min(now - OFF_AFTER, known.bell + LATE_STARTS)


def _operations(
    lessons: Mapping[int, Due], rows: Iterable[Row], boots: Mapping[int, list[float]]
) -> tuple[set[int], dict[int, bell.Booting]]:
    """The machines that the timetable started for these lessons, or somebody turned off since; and those that boot."""
    by_pk = {row.pk: row for row in rows}
    lately = Operation.objects.filter(
        Q(action__in=[Action.SHUTDOWN, Action.STOP]) | Q(action=Action.START, origin=Origin.TIMETABLE),
        requested_at__gt=min(due.starts_at for due in lessons.values()) - LEAD,
        vm__class_machine__lab_class__in=list(lessons),
    )
    columns = ("vm", "action", "state", "requested_at", "sent_at")
    touched, booting = set(), {}
    for machine, action, state, requested_at, sent_at in lately.order_by("requested_at").values_list(*columns):
        row = by_pk.get(machine)
        if row is None:
            continue
        is_start = action == Action.START
        if requested_at > lessons[row.lab_class].starts_at - (LEAD if is_start else timedelta()):
            touched.add(machine)
        if is_start and state in {*Operation.OPEN, State.DONE}:
            ready_at = (sent_at or requested_at) + bell.expected_boot(boots.get(machine, []))
            booting[machine] = bell.Booting(row.node, ready_at)
    return touched, booting


def start_due() -> int:
    """Request the starts that are due. Returns how many were requested."""
    found = outlook(timezone.now())
    _note_first_look(found)
    rows = {row.pk: row for row in found.rows}
    due = [
        start.machine
        for start in bell.due(found.starts, found.booting.values(), found.limits, found.now)
        if decision.decide(_facts(found, rows[start.machine], start)).should_run
    ]
    by_class: dict[int, list[int]] = {}
    for machine in due:
        by_class.setdefault(rows[machine].lab_class, []).append(machine)
    return sum(_request(found, lab_class, wanted) for lab_class, wanted in by_class.items())


def _facts(found: Outlook, row: Row, start: bell.Start) -> decision.Facts:
    due = found.lessons[row.lab_class]
    soon = min(start.at, found.now)
    lesson = decision.Lesson(due.starts_at, due.ends_at, starts=True, stops=due.stops_machines, start_at=soon)
    rules = decision.Rules(starts=True, starts_without_person=found.rules[row.lab_class].starts_without_person)
    return decision.Facts(
        found.now,
        row.status,
        row.seen_at,
        rules,
        (lesson,),
        lock=row.lock,
        has_operation=row.has_operation,
        has_person=row.person is not None,
    )


def _note_first_look(found: Outlook) -> None:
    """Keep when the worker first looked at a bell, and when the first start was due: later it says what it missed.

    And when it looked last: after an outage it begins again, with what was not started yet.
    """
    first = {}
    classes = {row.pk: row.lab_class for row in found.rows}
    for start in reversed(found.starts):
        first[classes[start.machine]] = start.at
    new = [
        LessonStart(
            lab_class_id=lab_class,
            bell=due.starts_at,
            due_at=first.get(lab_class, due.starts_at),
            began_at=found.now,
            looked_at=found.now,
        )
        for lab_class, due in found.lessons.items()
        if lab_class not in found.began
    ]
    LessonStart.objects.bulk_create(new, ignore_conflicts=True)
    for one in found.began.values():
        if _was_off(one, found.now):
            due_at = max(one.due_at, one.looked_at or one.due_at)
            LessonStart.objects.filter(pk=one.pk).update(began_at=found.now, due_at=due_at)
    lately = [one.pk for one in found.began.values() if _is_to_note(one, found.now)]
    if lately:
        LessonStart.objects.filter(pk__in=lately).update(looked_at=found.now)


def _is_to_note(known: LessonStart, now: datetime) -> bool:
    last = known.looked_at
    return last is None or (last <= now - NOTE_EVERY and last < known.bell + LATE_STARTS)


def _request(found: Outlook, lab_class: int, wanted: list[int]) -> int:
    """Request these starts in the name of a teacher of the class who may. Returns how many were requested."""
    by = requester(lab_class)
    if by is None:
        return 0
    rows = VirtualMachine.objects.filter(pk__in=wanted).select_related("cluster__health", "cluster__sync")
    in_order = sorted(rows, key=lambda machine: wanted.index(machine.pk))
    requested = operations.request_for(in_order, Action.START, by=by, origin=Origin.TIMETABLE).operations
    this = LessonStart.objects.filter(lab_class=lab_class, bell=found.lessons[lab_class].starts_at)
    this.update(requested=F("requested") + len(requested))
    return len(requested)


def requester(lab_class: int) -> User | None:
    """The teacher in whose name the timetable acts: the owner, or the first co-owner with an active account."""
    one = LabClass.objects.select_related("owner").get(pk=lab_class)
    return next((teacher for teacher in one.teachers if teacher.is_active), None)
