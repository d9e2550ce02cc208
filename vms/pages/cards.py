"""What a page says about a machine: one renderer's worth of facts, the same everywhere."""

import hashlib
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import npgettext

from clusters.models import Cluster, ClusterHealth, ClusterNotice
from vms import operations, sentences
from vms.access import machine_rules, restore_points, rules
from vms.access.context import ActionContext
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.pages import remote_desktop

Action = Operation.Action

# Data of so many reads of a cluster is called fresh.
FRESH_READS = 3

# How long the end of an operation stays on the page.
TOLD_FOR = timedelta(minutes=30)

# Older operations are not looked at for a card.
RECENT = timedelta(hours=1)

# A request that is not sent after this long is said to wait.
QUEUED = timedelta(seconds=3)

# Actions that can lose work are confirmed on a page of their own.
CONFIRMED = {Action.SHUTDOWN, Action.STOP, Action.REBOOT, Action.RESET}

# What is seldom wanted stands behind “More”.
SELDOM = {Action.SUSPEND, Action.RESET}

# What ends a machine that runs is not beside what shuts it down.
SELDOM_OF_RUNNING = SELDOM | {Action.STOP}


@dataclass(frozen=True)
class Button:
    action: str
    label: str
    confirmed: bool


@dataclass(frozen=True)
class Card:
    """One machine on a page. `tone` is for the style sheet; `status` says the same in words.

    `may_open`: its console. `no_console` says why not, when one would expect that it can be opened; `has_console`:
    whether it can be once the machine runs. `is_helped`: who sees the card may ask somebody for help. `lock` says what
    the cluster is busy with; `dismiss` names the operation whose trouble he may put away.
    """

    pk: int
    name: str
    vmid: int
    node: str
    status: str
    tone: str
    busy: bool
    elapsed: str = field(repr=False)  # the page's clock goes on by itself
    address: str
    address_note: str
    age: str
    age_at: datetime | None
    node_is_silent: bool
    buttons: tuple[Button, ...]
    more: tuple[Button, ...]
    may_open: bool
    no_console: str
    has_console: bool
    reason: str
    trouble: str
    detail: str
    dismiss: str = ""
    is_helped: bool = False
    lock: str = ""


@dataclass(frozen=True)
class Group:
    """The machines of one cluster, with what is wrong with the cluster."""

    cluster_id: str
    name: str
    failing_since: datetime | None
    problem: str
    never_synced: bool
    notices: tuple[str, ...]
    cards: tuple[Card, ...]


def groups(machines: Iterable[VirtualMachine], *, operable: Container[int], for_staff: bool) -> list[Group]:
    """Group machines by cluster, in their order. They come with cluster, health and sync selected.

    Who may look at a machine but not operate it, by `operable`, is offered nothing. A query that knows already which
    machines had operations lately (`is_active`) and notices (`is_noticed`) spares two others.
    One that knows where the person may ask for help (`is_helped`) has that on the cards.
    """
    machines = list(machines)
    now = timezone.now()
    latest = _latest_operations([one for one in machines if getattr(one, "is_active", True)], now)
    before = operations.queue_positions(latest.values())
    notices = _notices({machine.cluster.pk for machine in machines if getattr(machine, "is_noticed", True)})
    by_cluster: dict[str, tuple[Cluster, list[Card]]] = {}
    for machine in machines:
        cards = by_cluster.setdefault(machine.cluster_id, (machine.cluster, []))[1]
        last, may_operate = latest.get(machine.pk), machine.pk in operable
        queue = before.get(last.pk, 0) if last else 0
        cards.append(_card(machine, last, now, before=queue, may_operate=may_operate, for_staff=for_staff))
    return [
        _group(cluster, cards, tuple(notices.get(cluster.pk, ())), for_staff=for_staff)
        for cluster, cards in by_cluster.values()
    ]


def summary(shown: Iterable[Card]) -> str:
    """`18 running, 11 stopped, 1 busy`."""
    n = Counter(card.tone for card in shown)
    words = {
        "running": npgettext("machines", "%(n)d running", "%(n)d running", n["running"]),
        "stopped": npgettext("machines", "%(n)d stopped", "%(n)d stopped", n["stopped"]),
        "paused": npgettext("machines", "%(n)d paused", "%(n)d paused", n["paused"]),
        "busy": npgettext("machines", "%(n)d in progress", "%(n)d in progress", n["busy"]),
        "stale": npgettext("machines", "%(n)d status unknown", "%(n)d status unknown", n["stale"]),
        "unknown": npgettext("machines", "%(n)d status unknown", "%(n)d status unknown", n["unknown"]),
    }
    return ", ".join(text % {"n": n[tone]} for tone, text in words.items() if n[tone])


def fingerprint(shown: list[Group]) -> str:
    """Changes when the page would say something else."""
    aging = any(group.failing_since or any(card.age_at for card in group.cards) for group in shown)
    minute = timezone.now().strftime("%H:%M") if aging else ""  # the page tells ages in minutes
    return hashlib.sha256(f"{shown!r}{minute}".encode()).hexdigest()[:16]


def recent_operations(now: datetime | None = None) -> QuerySet[Operation]:
    """Those of the machine of an outer query that a card may tell of."""
    since = (now or timezone.now()) - RECENT
    return Operation.objects.commands().filter(vm=OuterRef("pk"), requested_at__gt=since)


def _latest_operations(machines: list[VirtualMachine], now: datetime) -> dict[int, Operation]:
    if not machines:
        return {}
    newest = recent_operations(now).order_by("-requested_at", "-pk").values("pk")[:1]
    wanted = VirtualMachine.objects.filter(pk__in=[machine.pk for machine in machines]).values(newest=Subquery(newest))
    return {op.vm_id: op for op in Operation.objects.filter(pk__in=wanted).order_by() if op.vm_id}


def _notices(clusters: set[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    if not clusters:
        return found
    for cluster_pk, text in ClusterNotice.objects.now().filter(cluster__in=clusters).values_list("cluster__pk", "text"):
        found.setdefault(cluster_pk, []).append(text)
    return found


def _group(cluster: Cluster, cards: list[Card], notices: tuple[str, ...], *, for_staff: bool) -> Group:
    health: ClusterHealth | None = getattr(cluster, "health", None)
    failing = health and not health.ok
    return Group(
        cluster_id=cluster.cluster_id,
        name=cluster.name,
        failing_since=health.failing_since if health and failing else None,
        problem=health.problem_told if health and failing and for_staff else "",
        never_synced=not _synced_at(cluster),
        notices=notices,
        cards=tuple(cards),
    )


def _card(
    machine: VirtualMachine, last: Operation | None, now: datetime, *, before: int, may_operate: bool, for_staff: bool
) -> Card:
    busy = last if last and last.is_open else None
    known_at = _known_at(machine)
    context = ActionContext(machine, getattr(machine.cluster, "health", None), busy, may_operate=may_operate)
    silent = context.health is not None and not context.health.ok
    stale = silent or bool(machine.silent_since)
    fresh = bool(known_at and now - known_at < _fresh_for(machine.cluster) and not stale)
    wanted = [Action.STOP] if busy else _offered(machine)
    seldom = SELDOM_OF_RUNNING if machine.status == "running" and not busy else SELDOM
    offered = [action for action in wanted if not rules.refusal(context, action)]
    no_console = rules.refusal(context, Action.CONSOLE) or ""
    return Card(
        pk=machine.pk,
        name=machine.display_name,
        vmid=machine.vmid,
        node=machine.node,
        status=_words(machine, busy, before),
        tone=_tone(machine, busy, silent=stale),
        busy=bool(busy),
        elapsed=_clock(now - busy.requested_at) if busy else "",
        address=remote_desktop.address_of(machine),
        address_note="" if stale or busy else remote_desktop.why_no_address(machine, now),
        age="fresh" if fresh else "old" if known_at else "never",
        age_at=None if fresh else known_at,
        node_is_silent=bool(machine.silent_since) and not machine.missing_since,
        may_open=not no_console,
        no_console=no_console if may_operate and machine.status == "running" else "",
        has_console=not rules.refusal_when_sent(context, Action.CONSOLE),
        buttons=_buttons(action for action in offered if action not in seldom),
        more=_buttons(action for action in offered if action in seldom),
        reason=""
        if busy or offered or silent or not may_operate
        else (rules.refusal(context, _offered(machine)[0]) or ""),
        trouble=_trouble(last, now),
        detail=last.outcome_told if last and for_staff and _trouble(last, now) else "",
        dismiss=str(last.pk) if last and may_operate and _trouble(last, now) else "",
        is_helped=getattr(machine, "is_helped", False),
        lock="" if busy or machine.missing_since or machine.gone_at else _lock(machine),
    )


def _buttons(actions: Iterable[Operation.Action]) -> tuple[Button, ...]:
    return tuple(Button(action, str(action.label), action in CONFIRMED) for action in actions)


def _fresh_for(cluster: Cluster) -> timedelta:
    sync: ClusterSync | None = getattr(cluster, "sync", None)
    return FRESH_READS * (sync or ClusterSync()).every


def _tone(machine: VirtualMachine, busy: Operation | None, *, silent: bool) -> str:
    """A last known status does not shine like one that is seen now."""
    if busy:
        return "busy"
    if silent:
        return "stale"
    if machine.missing_since or machine.gone_at:
        return "unknown"
    return machine.status if machine.status in {"running", "stopped", "paused"} else "unknown"


def _offered(machine: VirtualMachine) -> list[Operation.Action]:
    """What one would want to do with a machine in this state; the rules decide whether it may be done."""
    if machine.status == "running":
        seldom = [Action.SUSPEND, Action.RESET] if machine.kind == VirtualMachine.Kind.QEMU else []
        return [Action.SHUTDOWN, Action.REBOOT, Action.STOP, *seldom]
    if machine.status == "paused":
        return [Action.RESUME, Action.STOP]
    return [Action.START] if machine.status in machine_rules.STARTABLE else [Action.STOP]


def _words(machine: VirtualMachine, busy: Operation | None, before: int) -> str:
    if busy and busy.state == Operation.State.REQUESTED and timezone.now() - busy.requested_at > QUEUED:
        if not before:
            return _("Waiting for its turn")
        return _("Waiting: %(n)d ahead of it on %(node)s") % {"n": before, "node": machine.node}
    if busy:
        return {
            Action.START: _("Starting"),
            Action.SHUTDOWN: _("Shutting down"),
            Action.STOP: _("Stopping"),
            Action.REBOOT: _("Rebooting"),
            Action.RESET: _("Resetting"),
            Action.SUSPEND: _("Pausing"),
            Action.RESUME: _("Resuming"),
            Action.SNAPSHOT: _("Saving a snapshot"),
            Action.ROLLBACK: _("Reverting to a snapshot"),
            Action.DELETE_SNAPSHOT: _("Deleting a snapshot"),
        }[Action(busy.action)]
    if machine.missing_since or machine.gone_at:
        return _("Not found on the cluster")
    words = {"running": _("Running"), "stopped": _("Stopped"), "paused": _("Paused"), "unknown": _("Unknown")}
    return words.get(machine.status, machine.status)


def _lock(machine: VirtualMachine) -> str:
    if machine.lock == machine_rules.SUSPENDED_TO_DISK:
        return _("Asleep")
    doing = sentences.lock(machine.lock) if machine.lock in sentences.LOCKS else machine.lock
    return _("Busy: %(doing)s") % {"doing": doing} if doing else ""


def _trouble(last: Operation | None, now: datetime) -> str:
    if not last or not last.finished_at or last.finished_at < now - TOLD_FOR or last.dismissed_at:
        return ""
    label = last.get_action_display()
    if last.state == Operation.State.FAILED:
        said = _("“%(action)s” failed. Try again, or ask your teacher.") % {"action": label}
    elif last.state in {Operation.State.UNKNOWN, Operation.State.CANCELLED}:
        said = _("“%(action)s”: %(outcome)s") % {"action": label, "outcome": last.outcome_told}
    else:
        return ""
    return " ".join(filter(None, [said, _what_is_left(last)]))


def _what_is_left(last: Operation) -> str:
    """After a save point that was not saved."""
    if last.action != Action.SNAPSHOT or last.snapshot not in restore_points.NAMES:
        return ""
    if last.then:
        return _("Your old restore point was kept.")
    return "" if last.state == Operation.State.UNKNOWN else _("You have no restore point now.")


def _synced_at(cluster: Cluster) -> datetime | None:
    sync: ClusterSync | None = getattr(cluster, "sync", None)
    return sync.synced_at if sync else None


def _known_at(machine: VirtualMachine) -> datetime | None:
    """The age of what the page says of a machine: the last read that listed it, or a later look at itself."""
    listed = machine.missing_since or machine.gone_at or machine.silent_since or _synced_at(machine.cluster)
    return max((at for at in (listed, machine.status_at) if at), default=None)


def _clock(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // 60:02}:{seconds % 60:02}"
