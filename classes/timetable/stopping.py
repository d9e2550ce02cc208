"""Stops machines after lessons, when hours are used up, or idle ones, with consent: what the worker does each quarter
minute. It asks no cluster: `gathering` does.
"""

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.stored_messages import mentions
from classes.models import IdleEvidence, MachineHold, RunningRules, StopNotice
from classes.models.running import SHORTEST_IDLE
from classes.timetable import decision, evidence, hours, lookups, machines, mailing, notices
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
    left_alone: Mapping[int, datetime] = field(default_factory=dict)
    meters: Mapping[hours.Person, hours.Meter] = field(default_factory=dict)
    evidence: Mapping[int, IdleEvidence] = field(default_factory=dict)
    with_spice: Container[int] = ()
    confirmed_at: datetime | None = None
    shown: list[StopNotice] = field(default_factory=list)  # by this look


def watch(now: datetime) -> Watch:
    """In a constant number of queries, whatever the number of classes and machines."""
    stopping = RunningRules.objects.filter(
        Q(stops=True) | Q(hours__isnull=False) | Q(idle_minutes__isnull=False), lab_class__ended_at=None
    )
    rules = {one.lab_class_id: one for one in stopping}
    open_notices = {one.vm_id: one for one in StopNotice.objects.filter(ended_at=None).select_related("operation")}
    if not rules and not open_notices:
        return Watch(now)
    lessons = _lessons(now)
    limited = {lab_class for lab_class, one in rules.items() if one.hours is not None}
    after_lessons = {lab_class for lab_class, one in rules.items() if one.stops and lab_class in lessons}
    classes = limited | after_lessons | {one.lab_class_id for one in open_notices.values()}
    rows = machines.rows(classes, status="running", also=open_notices)
    ripe = _ripe([lab_class for lab_class, one in rules.items() if one.idle_minutes], now)
    if more := ripe.keys() - {row.pk for row in rows}:
        rows += machines.these(more)
    return _watch(now, rules=rules, lessons=lessons, rows=rows, open_notices=open_notices, found=ripe)


def watch_these(keys: Collection[int], now: datetime) -> Watch:
    """The same about these machines alone."""
    rows = machines.these(keys)
    rules = {
        one.lab_class_id: one for one in RunningRules.objects.filter(lab_class__in={row.lab_class for row in rows})
    }
    open_notices = {one.vm_id: one for one in StopNotice.objects.filter(ended_at=None, vm__in=list(keys))}
    found = {one.vm_id: one for one in IdleEvidence.objects.filter(vm__in=list(keys))}
    return _watch(now, rules=rules, lessons=_lessons(now), rows=rows, open_notices=open_notices, found=found)


def _watch(
    now: datetime,
    *,
    rules: Mapping[int, RunningRules],
    lessons: Mapping[int, tuple[Lesson, ...]],
    rows: list[Row],
    open_notices: Mapping[int, StopNotice],
    found: Mapping[int, IdleEvidence],
) -> Watch:
    kept, held, left_alone = _holds({row.lab_class for row in rows}, now)
    limited = {lab_class for lab_class, one in rules.items() if one.hours is not None}
    meters = hours.meters(limited) if limited else {}
    return Watch(
        now,
        rules,
        lessons,
        tuple(rows),
        open_notices,
        kept,
        held,
        left_alone,
        meters,
        found,
        evidence.with_spice(found.keys()),
        evidence.confirmed_at() if found else None,
    )


def _ripe(classes: list[int], now: datetime) -> dict[int, IdleEvidence]:
    """The evidence of machines of these classes that may be idle for long enough. No query without such a class."""
    if not classes:
        return {}
    found = IdleEvidence.objects.filter(
        vm__class_machine__lab_class__in=classes,
        quiet_since__lte=now - timedelta(minutes=SHORTEST_IDLE),
        measured_at__gt=now - decision.MEASURED_WITHIN,
    )
    return {one.vm_id: one for one in found}


def _lessons(now: datetime) -> dict[int, tuple[Lesson, ...]]:
    found: dict[int, tuple[Lesson, ...]] = {}
    for due in lookups.around(now, before=decision.LESSON_OVER_WITHIN, after=decision.BREAK):
        found[due.lab_class] = (*found.get(due.lab_class, ()), _lesson(due))
    return found


def _lesson(due: Due) -> Lesson:
    return Lesson(due.starts_at, due.ends_at, starts=due.starts_machines, stops=due.stops_machines)


def _holds(classes: Iterable[int], now: datetime) -> tuple[dict[int, datetime], ...]:
    """Until when machines are kept on, and until when their managers, or those who have them, want them left alone."""
    kept: dict[int, datetime] = {}
    by_manager: dict[int, datetime] = {}
    left_alone: dict[int, datetime] = {}
    holds = MachineHold.objects.lasting(now).filter(vm__class_machine__lab_class__in=list(classes)).order_by("until")
    for machine, kind, until, is_managers in holds.values_list("vm", "kind", "until", "by_manager"):
        if kind == MachineHold.Kind.KEEP:
            kept[machine] = until
        else:
            (by_manager if is_managers else left_alone)[machine] = until
    refused = StopNotice.objects.filter(outcome=Outcome.REFUSED, ended_at__gt=now - REFUSED_FOR)
    for notice in refused:
        machine, until = notice.vm_id, (notice.ended_at or now) + REFUSED_FOR
        kept[machine] = max(until, kept.get(machine, until))
    return kept, by_manager, left_alone


def look() -> int:
    """Give, confirm, withdraw and carry out notices. Returns how many machines are being stopped from now on."""
    found = watch(timezone.now())
    seen = {row.pk for row in found.rows}
    for machine, notice in found.notices.items():
        if machine not in seen:  # it left the class, or is gone
            notices.end(notice, Outcome.WITHDRAWN, found.now)
    stops = sum(_look_at(found, row) for row in found.rows)
    notices.confirm(found.shown)
    return stops


def _look_at(found: Watch, row: Row) -> bool:
    notice = found.notices.get(row.pk)
    if notice and notice.operation:
        return _follow_stop(found, notice, row)
    facts = facts_of(found, row)
    decided = decision.decide(facts)
    if decided.should_stop and notice:
        return _stop(found, row, facts, decided, notice)
    if decided.notice_for:
        why = evidence.kept(facts, found.evidence.get(row.pk))
        shown = notices.show(notice, row, decided.notice_for, found.now, evidence=why)
        found.shown.append(shown)
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
        decision.Rules(stops=bool(rules and rules.stops), idle_after=rules.idle_after if rules else None),
        found.lessons.get(row.lab_class, ()),
        lock=row.lock,
        has_operation=row.has_operation,
        has_person=row.person is not None,
        running_since=row.booted_at,
        is_tagged=row.is_tagged,
        do_not_stop_until=found.held.get(row.pk),
        left_alone_until=found.left_alone.get(row.pk),
        kept_until=found.kept.get(row.pk),
        notice=notices.as_facts(notice) if notice else None,
        activity=evidence.activity(
            row, found.evidence.get(row.pk), console_known=_console_is_known(found, row, rules), now=found.now
        ),
        hours_left=_hours_left(found, row),
    )


def _console_is_known(found: Watch, row: Row, rules: RunningRules | None) -> bool:
    """Not while somebody may use a SPICE viewer, and not before the portal has watched for the whole span."""
    begin = found.now - (rules.idle_after if rules and rules.idle_after else timedelta())
    return row.pk not in found.with_spice and not (found.confirmed_at and found.confirmed_at > begin)


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
    notice.evidence = evidence.kept(facts, found.evidence.get(row.pk))
    return _request(found, notice, row, Action.SHUTDOWN)


def _request(found: Watch, notice: StopNotice, row: Row, action: Operation.Action) -> bool:
    """In the name of a teacher of the class. Without one, or when the rules refuse, the notice ends.

    False also when somebody chose between the look and now that the machine stays on.
    """
    by = requester(row.lab_class)
    machine = VirtualMachine.objects.filter(pk=row.pk).select_related("cluster__health", "cluster__sync")
    with transaction.atomic():
        if not notices.lock_for_stop(notice):
            return False
        requested = operations.request_for(machine, action, by=by, origin=Origin.TIMETABLE) if by else None
        operation = requested.operations.get(row.pk) if requested else None
        if operation is None:
            notices.end(notice, Outcome.REFUSED, found.now)
            return False
        notice.operation, notice.was_forced, notice.confirmed_at = operation, action == Action.STOP, found.now
        notice.save(update_fields=["operation", "was_forced", "confirmed_at", "reason", "evidence"])
    return True


def _follow_stop(found: Watch, notice: StopNotice, row: Row) -> bool:
    """After the stop was requested: it is over, or it failed and may be forced, or the machine is left alone."""
    operation, rules = notice.operation, found.rules.get(row.lab_class)
    if operation is None:
        return False
    if operation.is_open:
        if notices.as_facts(notice).counts(found.now):  # while it waits for its turn, people see that
            notice.confirmed_at = found.now
            found.shown.append(notice)
        return False
    may_force = operation.state == Operation.State.FAILED and rules and rules.allows_forced_stop
    if operation.state == Operation.State.DONE or row.status == "stopped":
        notices.end(notice, Outcome.STOPPED, found.now)
    elif may_force and not notice.was_forced:
        if decision.decide(facts_of(found, row)).should_stop:
            return _request(found, notice, row, Action.STOP)
        notices.end(notice, Outcome.WITHDRAWN, found.now)
    elif operation.state == Operation.State.CANCELLED and not mentions(operation.outcome_message, "cancelled-by"):
        notices.end(notice, Outcome.WITHDRAWN, found.now)  # it was not sent: if it is due again, with a new notice
    else:
        notices.end(notice, Outcome.REFUSED, found.now)
    return False


def is_still_due(operation: Operation) -> bool:
    """Whether a stop that was requested is right when it is sent: it may have waited for its turn, or for a worker.

    Not when a lesson has begun, somebody wants the machine left on, or the notice was not shown until now.
    """
    machine, now = operation.vm_id or 0, timezone.now()
    found = watch_these([machine], now)
    notice = found.notices.get(machine)
    if notice is None or notice.operation_id != operation.pk or not found.rows:
        return False
    decided = decision.decide(replace(facts_of(found, found.rows[0]), has_operation=False))
    return decided.should_stop or decided.asks_users  # the guest agent was asked before the request
