"""Stops machines after lessons or when hours are used up, with consent: what the worker does each quarter minute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from classes.models import MachineHold, RunningRules, StopNotice
from classes.timetable import decision, hours, lookups, machines, mailing, notices
from classes.timetable.decision import Decision, Facts, Lesson, Reason
from classes.timetable.lookups import Due
from classes.timetable.machines import Row
from classes.timetable.starting import requester
from vms import operations
from vms.models import Operation, VirtualMachine

Action, Origin = Operation.Action, Operation.Origin
Outcome = StopNotice.Outcome

LOOK_EVERY = timedelta(seconds=15)

# A machine that could not be stopped is left alone for so long.
REFUSED_FOR = timedelta(hours=1)

# Reasons that say nothing about whether a notice is still needed.
UNDECIDED = {Reason.UNKNOWN, Reason.LOCKED, Reason.BUSY}


@dataclass(frozen=True)
class Watch:
    """What the look at running machines needs, by class and by machine."""

    now: datetime
    rules: Mapping[int, RunningRules] = field(default_factory=dict)
    lessons: Mapping[int, tuple[Lesson, ...]] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    notices: Mapping[int, StopNotice] = field(default_factory=dict)
    kept: Mapping[int, datetime] = field(default_factory=dict)
    held: Mapping[int, datetime] = field(default_factory=dict)
    meters: Mapping[hours.Person, hours.Meter] = field(default_factory=dict)


def watch(now: datetime) -> Watch:
    """In a constant number of queries, whatever the number of classes and machines."""
    stopping = RunningRules.objects.filter(Q(stops=True) | Q(hours__isnull=False), lab_class__ended_at=None)
    rules = {one.lab_class_id: one for one in stopping}
    open_notices = {one.vm_id: one for one in StopNotice.objects.filter(ended_at=None).select_related("operation")}
    if not rules and not open_notices:
        return Watch(now)
    lessons: dict[int, tuple[Lesson, ...]] = {}
    for due in lookups.around(now, before=decision.LESSON_OVER_WITHIN):
        lessons[due.lab_class] = (*lessons.get(due.lab_class, ()), _lesson(due))
    limited = {lab_class for lab_class, one in rules.items() if one.hours is not None}
    after_lessons = {lab_class for lab_class, one in rules.items() if one.stops and lab_class in lessons}
    classes = limited | after_lessons | {one.lab_class_id for one in open_notices.values()}
    kept, held = _holds(classes, now)
    meters = hours.meters(limited) if limited else {}
    rows = machines.rows(classes, status="running", also=open_notices)
    return Watch(now, rules, lessons, tuple(rows), open_notices, kept, held, meters)


def _lesson(due: Due) -> Lesson:
    return Lesson(due.starts_at, due.ends_at, starts=due.starts_machines, stops=due.stops_machines)


def _holds(classes: Iterable[int], now: datetime) -> tuple[dict[int, datetime], dict[int, datetime]]:
    """Until when machines are kept on, and until when their holders want them left alone."""
    found: dict[str, dict[int, datetime]] = {MachineHold.Kind.KEEP: {}, MachineHold.Kind.DO_NOT_STOP: {}}
    holds = MachineHold.objects.lasting(now).filter(vm__class_machine__lab_class__in=list(classes)).order_by("until")
    for machine, kind, until in holds.values_list("vm", "kind", "until"):
        found[kind][machine] = until
    refused = StopNotice.objects.filter(outcome=Outcome.REFUSED, ended_at__gt=now - REFUSED_FOR)
    for notice in refused:
        machine, until = notice.vm_id, (notice.ended_at or now) + REFUSED_FOR
        found[MachineHold.Kind.KEEP][machine] = max(until, found[MachineHold.Kind.KEEP].get(machine, until))
    return found[MachineHold.Kind.KEEP], found[MachineHold.Kind.DO_NOT_STOP]


def look() -> int:
    """Give, confirm, withdraw and carry out notices. Returns how many machines are being stopped from now on."""
    found = watch(timezone.now())
    seen = {row.pk for row in found.rows}
    for machine, notice in found.notices.items():
        if machine not in seen:  # it left the class, or is gone
            notices.end(notice, Outcome.WITHDRAWN, found.now)
    return sum(_look_at(found, row) for row in found.rows)


def _look_at(found: Watch, row: Row) -> bool:
    notice = found.notices.get(row.pk)
    if notice and notice.operation:
        return _follow_stop(notice, row, found.rules.get(row.lab_class), found.now)
    facts = facts_of(found, row)
    decided = decision.decide(facts)
    if decided.should_stop and notice:
        return _stop(found, row, facts, decided, notice)
    if decided.notice_for:
        shown = notices.show(notice, row, decided.notice_for, found.now)
        mailing.mail_due(shown, found.rules.get(row.lab_class), row.person, found.now)
    elif notice and decided.reason not in UNDECIDED:
        notices.end(notice, Outcome.KEPT if decided.reason == Reason.KEPT else Outcome.WITHDRAWN, found.now)
    return False


def facts_of(found: Watch, row: Row) -> Facts:
    rules = found.rules.get(row.lab_class)
    notice = found.notices.get(row.pk)
    return Facts(
        found.now,
        row.status,
        row.seen_at,
        decision.Rules(stops=bool(rules and rules.stops)),
        found.lessons.get(row.lab_class, ()),
        lock=row.lock,
        has_operation=row.has_operation,
        has_person=row.person is not None,
        running_since=row.booted_at,
        is_tagged=row.is_tagged,
        do_not_stop_until=found.held.get(row.pk),
        kept_until=found.kept.get(row.pk),
        notice=notices.as_facts(notice) if notice else None,
        hours_left=_hours_left(found, row),
    )


def _hours_left(found: Watch, row: Row) -> timedelta | None:
    """None without a limit, and for machines that nobody has. Who has used nothing yet is in no meter."""
    rules = found.rules.get(row.lab_class)
    if rules is None or rules.hours is None or row.person is None:
        return None
    meter = found.meters.get((row.lab_class, row.person))
    return timedelta(minutes=meter.left) if meter else timedelta(hours=rules.hours)


def _stop(found: Watch, row: Row, facts: Facts, decided: Decision, notice: StopNotice) -> bool:
    """Shut it down, and keep what that was decided by."""
    notice.reason = decided.reason
    notice.evidence = evidence(facts)
    return _request(notice, row, Action.SHUTDOWN, found.now)


def evidence(facts: Facts) -> dict[str, Any]:
    """The facts as plain JSON, with times in UTC."""
    over = [lesson.ends for lesson in facts.lessons if lesson.ends <= facts.now]
    notice = facts.notice
    return {
        "status_seen_at": _text(facts.seen_at),
        "running_since": _text(facts.running_since),
        "lesson_ended_at": _text(max(over)) if over else "",
        "hours_left_minutes": facts.hours_left // timedelta(minutes=1) if facts.hours_left is not None else None,
        "notice_shown_seconds": notice.shown.total_seconds() if notice else 0,
    }


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _request(notice: StopNotice, row: Row, action: Operation.Action, now: datetime) -> bool:
    """In the name of a teacher of the class. Without one, or when the rules refuse, the notice ends."""
    by = requester(row.lab_class)
    found = VirtualMachine.objects.filter(pk=row.pk).select_related("cluster__health", "cluster__sync")
    requested = operations.request_for(found, action, by=by, origin=Origin.TIMETABLE) if by else None
    operation = requested.operations.get(row.pk) if requested else None
    if operation is None:
        notices.end(notice, Outcome.REFUSED, now)
        return False
    notice.operation, notice.was_forced = operation, action == Action.STOP
    notice.save()
    return True


def _follow_stop(notice: StopNotice, row: Row, rules: RunningRules | None, now: datetime) -> bool:
    """After the stop was requested: it is over, or it failed and may be forced, or the machine is left alone."""
    operation = notice.operation
    if operation is None or operation.is_open:
        return False
    if operation.state == Operation.State.DONE or row.status == "stopped":
        notices.end(notice, Outcome.STOPPED, now)
    elif operation.state == Operation.State.FAILED and rules and rules.allows_forced_stop and not notice.was_forced:
        return _request(notice, row, Action.STOP, now)
    else:
        notices.end(notice, Outcome.REFUSED, now)
    return False
