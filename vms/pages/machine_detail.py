"""The details on a machine's page, besides its card: facts, snapshots and history."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.paginator import Page, Paginator
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from vms.access import lookups, restore_points, rules
from vms.access.context import context_for
from vms.models import Assignment, HelpRequest, Operation, Snapshot, VirtualMachine
from vms.pages import cards, operation_reasons, outcomes, remote_desktop

Action, State = Operation.Action, Operation.State

PER_PAGE = 10

# Older addresses and snapshots are marked as being read again. While somebody looks they are read more often.
OLD_DETAILS = timedelta(minutes=2)


@dataclass(frozen=True)
class SnapshotRow:
    """A snapshot. `may_delete` is about the person; the rules say whether it is possible now.

    `problem` says why nobody can revert to it; `remedy` is the command that clears it, for staff.
    """

    name: str
    label: str
    description: str
    taken_at: datetime | None
    with_memory: bool
    may_delete: bool
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class HistoryRow:
    """An operation, finished or in progress. `why`: what the portal asked for it for, if it did so by itself."""

    what: str
    who: str
    at: datetime
    state: str
    result: str
    outcome: str
    duration: str
    why: str = ""


@dataclass(frozen=True)
class HelpState:
    """For the assignee: since when they have been asking for help. `asked_at` is None while they do not."""

    asked_at: datetime | None
    text: str


@dataclass(frozen=True)
class MachineDetail:
    """Everything that the page shows. `refusals` are by name of the action, for those that are not possible now.

    `help` is None where a help request would reach nobody.
    """

    group: cards.Group
    facts: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...]
    snapshots: tuple[SnapshotRow, ...]
    has_restore_point: bool
    may_operate: bool
    manages: bool
    refusals: dict[str, str]
    history: tuple[HistoryRow, ...]
    note: str
    guest_login: str
    help: HelpState | None
    is_reading: bool = False

    @property
    def card(self) -> cards.Card:
        return self.group.cards[0]

    @property
    def fingerprint(self) -> str:
        """Changes when the page would say something else."""
        return hashlib.sha256(f"{self!r}{cards.fingerprint([self.group])}".encode()).hexdigest()[:16]


def for_person(machine: VirtualMachine, person: User, *, history: Page[Operation]) -> MachineDetail:
    """The page as the person sees it. The machine comes with cluster, health and sync selected."""
    rule_context = context_for(machine, person=person)
    operable = {machine.pk} if rule_context.may_operate else set()
    rows = list(machine.snapshots.all())
    older = _older_restore_point(rows)
    snapshots = tuple(
        _snapshot_row(machine, snapshot, person, manages=rule_context.manages, is_older=snapshot == older)
        for snapshot in rows
    )
    why = operation_reasons.of(history)
    wanted = (Action.SNAPSHOT, Action.ROLLBACK, Action.DELETE_SNAPSHOT)
    return MachineDetail(
        group=cards.groups([machine], operable=operable, for_staff=person.is_staff)[0],
        facts=_facts(machine),
        addresses=remote_desktop.addresses_of(machine),
        snapshots=snapshots,
        has_restore_point=bool(restore_points.complete(rows)),
        may_operate=rule_context.may_operate,
        manages=rule_context.manages,
        refusals={action.name: refusal for action in wanted if (refusal := rules.refusal(rule_context, action))},
        history=tuple(history_row(one, for_staff=person.is_staff, why=why.get(one.pk, "")) for one in history),
        note=machine.note,
        guest_login=machine.guest_login,
        help=_help(machine, person),
        is_reading=_is_reading(machine),
    )


def _is_reading(machine: VirtualMachine) -> bool:
    """Whether addresses and snapshots are old, and a worker reads them now, because somebody looks."""
    if not machine.details_at or machine.missing_since or machine.silent_since or machine.gone_at:
        return False
    health = getattr(machine.cluster, "health", None)
    return bool(health and health.ok and machine.details_at < timezone.now() - OLD_DETAILS)


def _help(machine: VirtualMachine, person: User) -> HelpState | None:
    asked = HelpRequest.objects.open().filter(assignment=OuterRef("pk"))
    held = Assignment.objects.live().filter(vm=machine, user=person)
    row = held.values_list(Subquery(asked.values("asked_at")[:1]), Subquery(asked.values("text")[:1])).first()
    if row is None or not (row[0] or HelpRequest.has_other_manager(machine, besides=person)):
        return None
    return HelpState(asked_at=row[0], text=row[1] or "")


def history_page(machine: VirtualMachine, number: str | None, *, person: User) -> Page[Operation]:
    """A page of operations. Assignees see those since their assignment; staff and managers see all."""
    operations: QuerySet[Operation] = Operation.objects.filter(vm=machine).order_by("-requested_at", "-pk")
    manages = VirtualMachine.objects.managed_by(person).filter(pk=machine.pk)
    if not lookups.sees_all(person) and not manages.exists():
        since = Assignment.objects.live().filter(vm=machine, user=person).values("assigned_at")[:1]
        operations = operations.filter(Q(requested_at__gte=Subquery(since)) | Q(requested_by=person))
    return Paginator(operations, PER_PAGE).get_page(number)


def _facts(machine: VirtualMachine) -> tuple[tuple[str, str], ...]:
    facts = (
        (_("Cluster"), machine.cluster.name),
        (_("Node"), machine.node),
        ("VMID", str(machine.vmid)),
        (_("Kind"), _("container") if machine.kind == VirtualMachine.Kind.LXC else _("virtual machine")),
        ("CPUs", f"{machine.cpus:g}"),
        (_("Memory"), filesizeformat(machine.memory)),
        (_("Disk"), filesizeformat(machine.disk)),
        (_("Running since"), _since(machine)),
        (_("High availability"), machine.ha_state),
        (_("Tags"), ", ".join(tag for tag in machine.tags.split(";") if tag)),
    )
    return tuple(fact for fact in facts if fact[1])


def _since(machine: VirtualMachine) -> str:
    """To the minute: from sync to sync, the seconds differ."""
    if machine.status != "running" or not machine.booted_at:
        return ""
    return f"{timezone.localtime(machine.booted_at):%Y-%m-%d %H:%M}"


def _older_restore_point(snapshots: list[Snapshot]) -> Snapshot | None:
    """The older of two: there are two while it is being replaced, and after it could not be deleted."""
    both = restore_points.complete(snapshots)
    return both[0] if len(both) > 1 else None


def _snapshot_row(
    machine: VirtualMachine, snapshot: Snapshot, person: User, *, manages: bool, is_older: bool
) -> SnapshotRow:
    label = restore_points.label(snapshot.name)
    return SnapshotRow(
        name=snapshot.name,
        label=_("%(name)s (the older one)") % {"name": label} if is_older else label,
        description=snapshot.description,
        taken_at=snapshot.taken_at,
        with_memory=snapshot.with_memory,
        may_delete=manages or snapshot.name in restore_points.NAMES,
        problem=_snapshot_problem(snapshot),
        remedy=_remedy(machine, snapshot) if person.is_staff and snapshot.state and not machine.lock else "",
    )


def _snapshot_problem(snapshot: Snapshot) -> str:
    if not snapshot.state:
        return ""
    problems = {
        "prepare": _("Incomplete: saving it has not finished. The machine can't be reverted to it."),
        "delete": _("Incomplete: deleting it has not finished. The machine can't be reverted to it."),
    }
    return problems.get(snapshot.state, _("Incomplete. The machine can't be reverted to it."))


def _remedy(machine: VirtualMachine, snapshot: Snapshot) -> str:
    """The portal deletes nothing by force: somebody has to look first."""
    tool = "pct" if machine.kind == VirtualMachine.Kind.LXC else "qm"
    return f"{tool} delsnapshot {machine.vmid} {snapshot.name} --force 1"


def history_row(operation: Operation, *, for_staff: bool, why: str = "") -> HistoryRow:
    """A row of the history. Only staff read the cluster's own words about a failure."""
    told = for_staff or operation.state in {State.UNKNOWN, State.CANCELLED}
    label = restore_points.label(operation.snapshot)
    name = _(" “%(snapshot)s”") % {"snapshot": label} if label else ""
    ended = operation.finished_at
    return HistoryRow(
        what=f"{operation.get_action_display()}{name}",
        who=operation.asked_by,
        at=operation.requested_at,
        state=operation.state,
        result=operation.get_state_display(),
        outcome=operation.rendered_outcome if told else outcomes.public_reason(operation),
        duration=duration(ended - operation.requested_at) if ended else "",
        why=why,
    )


def duration(span: timedelta) -> str:
    """`under a second`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 1:
        return _("less than a second")
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
