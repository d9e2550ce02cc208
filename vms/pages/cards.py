"""Cards: the summary of a machine that every page shows, grouped by cluster."""

import hashlib
from collections import Counter
from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Self

from django.utils import timezone
from django.utils.translation import get_language, npgettext

from clusters.models import Cluster, ClusterHealth, ClusterNotice
from vms import operations
from vms.access import machine_rules, machine_states, rules
from vms.access.context import ActionContext
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.pages import card_text, remote_desktop
from vms.pages.latest_operations import latest_operations

Action = Operation.Action

# A status is fresh for so many intervals between syncs.
FRESH_READS = 3

# All that a card is made of. What connects to a cluster, its encrypted credentials among it, is not read for each page.
# Without the 54 other columns an unchanged poll of 50 machines takes 2.6 ms of CPU instead of 3.6.
COLUMNS = (
    "cluster_id", "vmid", "kind", "name", "node", "status", "lock", "ha_state", "template", "booted_at", "status_at",
    "silent_since", "missing_since", "gone_at", "doubted_since", "addresses", "details_due_at", "details_at",
    "details_failures", "cluster__cluster_id", "cluster__name", "cluster__is_default", "cluster__is_active",
    "cluster__health__ok", "cluster__health__checked_at", "cluster__health__failing_since",
    "cluster__health__problem", "cluster__health__problem_message", "cluster__health__kind",
    "cluster__sync__interval", "cluster__sync__synced_at",
)  # fmt: skip

# Actions that can lose work are confirmed on a page of their own.
CONFIRMED = {Action.SHUTDOWN, Action.STOP, Action.REBOOT, Action.RESET}

# Of a running machine, rare actions are in the menu “More”: a forced stop is not beside the shutdown.
SELDOM_OF_RUNNING = {Action.SUSPEND, Action.RESET, Action.STOP}


@dataclass(frozen=True)
class Button:
    action: str
    label: str
    confirmed: bool


@dataclass(frozen=True)
class Card:
    """One machine on a page. `tone` is for the style sheet; `status` says the same in words.

    `may_open`: the console can be opened. `no_console`: why not, although the machine runs. `has_console`: it can be
    opened when the machine runs. `is_helped`: the viewer can ask somebody for help. `lock`: what the cluster is doing
    with the machine. `dismiss`: the operation whose failure the viewer can dismiss.
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
    assignee: str = ""


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
    has_bad_certificate: bool = False
    rejects_credential: bool = False

    def with_cards(self, *cards: Card) -> Self:
        return replace(self, cards=cards)


@dataclass(frozen=True)
class Listed:
    """The machines of a page of the list. `html`: of its cards, by what else they look at, without tokens and ages."""

    groups: tuple[Group, ...]
    html: dict[Hashable, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def cards(self) -> tuple[Card, ...]:
        return tuple(card for group in self.groups for card in group.cards)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(list(self.groups))

    @cached_property
    def summary(self) -> str:
        return summary(self.cards)


def groups(machines: Iterable[VirtualMachine], *, operable: Container[int], for_staff: bool) -> list[Group]:
    """Group machines by cluster, in their order. They come with cluster, health and sync selected.

    Machines that are not in `operable` get no buttons. Two queries are saved when the machines are annotated with
    `is_active` (had operations lately) and `is_noticed` (its cluster has notices). `is_helped` and
    `assignee_name`, where annotated, are shown on the cards.
    """
    machines = list(machines)
    now = timezone.now()
    latest = latest_operations([one for one in machines if getattr(one, "is_active", True)], now)
    before = operations.queue_positions(latest.values())
    notices = _notices({machine.cluster.pk for machine in machines if getattr(machine, "is_noticed", True)})
    by_cluster: dict[str, tuple[Cluster, list[Card]]] = {}
    for machine in machines:
        cards = by_cluster.setdefault(machine.cluster_id, (machine.cluster, []))[1]
        last, may_operate = latest.get(machine.pk), machine.pk in operable
        queue = before.get(last.pk, 0) if last else 0
        cards.append(_card(machine, last, now, ahead=queue, may_operate=may_operate, for_staff=for_staff))
    return [
        _group(cluster, cards, tuple(notices.get(cluster.pk, ())), for_staff=for_staff)
        for cluster, cards in by_cluster.values()
    ]


def summary(shown: Iterable[Card]) -> str:
    """`18 running, 11 stopped, 1 busy`."""
    n = Counter("unknown" if card.tone == "stale" else card.tone for card in shown)
    words = {
        "running": npgettext("machines", "%(n)d running", "%(n)d running", n["running"]),
        "stopped": npgettext("machines", "%(n)d stopped", "%(n)d stopped", n["stopped"]),
        "paused": npgettext("machines", "%(n)d paused", "%(n)d paused", n["paused"]),
        "failed": npgettext("machines", "%(n)d stopped by an error", "%(n)d stopped by an error", n["failed"]),
        "busy": npgettext("machines", "%(n)d in progress", "%(n)d in progress", n["busy"]),
        "unknown": npgettext("machines", "%(n)d status unknown", "%(n)d status unknown", n["unknown"]),
    }
    return ", ".join(text % {"n": n[tone]} for tone, text in words.items() if n[tone])


def fingerprint(shown: list[Group]) -> str:
    """Changes when the page would say something else."""
    aging = any(group.failing_since or any(card.age_at for card in group.cards) for group in shown)
    minute = timezone.now().strftime("%H:%M") if aging else ""  # the page tells ages in minutes
    return hashlib.sha256(f"{shown!r}{minute}".encode()).hexdigest()[:16]


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
        problem=health.rendered_problem if health and failing and for_staff else "",
        never_synced=not _synced_at(cluster),
        notices=notices,
        cards=tuple(cards),
        has_bad_certificate=bool(health and failing and health.has_bad_certificate),
        rejects_credential=bool(health and failing and health.rejects_credential),
    )


def _card(
    machine: VirtualMachine, last: Operation | None, now: datetime, *, ahead: int, may_operate: bool, for_staff: bool
) -> Card:
    busy = last if last and last.is_open else None
    known_at = _known_at(machine)
    context = ActionContext(machine, getattr(machine.cluster, "health", None), busy, may_operate=may_operate)
    silent = context.health is not None and not context.health.ok
    stale = silent or bool(machine.silent_since)
    fresh = bool(known_at and now - known_at < _fresh_for(machine.cluster) and not stale)
    wanted = [Action.STOP] if busy else _offered(machine)
    seldom = SELDOM_OF_RUNNING if machine.status == "running" and not busy else set()
    offered = [action for action in wanted if not rules.refusal(context, action)]
    trouble = card_text.trouble_text(last, now)
    no_console = rules.refusal(context, Action.CONSOLE) or ""
    return Card(
        pk=machine.pk,
        name=machine.display_name,
        vmid=machine.vmid,
        node=machine.node,
        status=card_text.status_text(machine, busy, ahead),
        tone=_tone(machine, busy, silent=stale),
        busy=bool(busy),
        elapsed=card_text.clock(now - busy.requested_at) if busy else "",
        address=remote_desktop.address_of(machine),
        address_note="" if stale or busy else remote_desktop.why_no_address(machine, now),
        age="fresh" if fresh else "old" if known_at else "never",
        age_at=None if fresh else known_at,
        node_is_silent=bool(machine.silent_since) and not machine.missing_since,
        may_open=not no_console,
        no_console=no_console if may_operate and machine_states.state(machine.status).has_process else "",
        has_console=not rules.refusal_when_sent(context, Action.CONSOLE),
        buttons=_buttons(action for action in offered if action not in seldom),
        more=_buttons(action for action in offered if action in seldom),
        reason=""
        if busy or offered or silent or not may_operate
        else (rules.refusal(context, _offered(machine)[0]) or ""),
        trouble=trouble,
        detail=last.rendered_outcome if last and for_staff and trouble else "",
        dismiss=str(last.pk) if last and may_operate and trouble else "",
        is_helped=getattr(machine, "is_helped", False),
        assignee=getattr(machine, "assignee_name", None) or "",
        lock="" if busy or machine.missing_since or machine.gone_at else card_text.lock_text(machine),
    )


def _buttons(actions: Iterable[Operation.Action]) -> tuple[Button, ...]:
    return _buttons_in(get_language(), *actions)


@lru_cache(maxsize=500)
def _buttons_in(_language: str | None, *actions: Operation.Action) -> tuple[Button, ...]:
    """Most machines offer the same. The labels are in the reader's language."""
    return tuple(Button(action, str(action.label), action in CONFIRMED) for action in actions)


def _fresh_for(cluster: Cluster) -> timedelta:
    sync: ClusterSync | None = getattr(cluster, "sync", None)
    return FRESH_READS * (sync or ClusterSync()).every


def _tone(machine: VirtualMachine, busy: Operation | None, *, silent: bool) -> str:
    """For the style sheet: a status that is only the last known one looks different."""
    if busy:
        return "busy"
    if silent:
        return "stale"
    if machine.missing_since or machine.gone_at:
        return "unknown"
    return machine_states.state(machine.status).tone


def _offered(machine: VirtualMachine) -> list[Operation.Action]:
    """The actions that make sense in this state; the rules decide whether they are allowed."""
    if machine.status == "running":
        seldom = [Action.SUSPEND, Action.RESET] if machine.kind == VirtualMachine.Kind.QEMU else []
        return [Action.SHUTDOWN, Action.REBOOT, Action.STOP, *seldom]
    if machine.status in machine_rules.STARTABLE:
        return [Action.START]
    state = machine_states.state(machine.status)
    ways = {Action.RESUME: state.resumes, Action.RESET: state.resets}
    return [*(action for action, helps in ways.items() if helps), Action.STOP]


def _synced_at(cluster: Cluster) -> datetime | None:
    sync: ClusterSync | None = getattr(cluster, "sync", None)
    return sync.synced_at if sync else None


def _known_at(machine: VirtualMachine) -> datetime | None:
    """The time when the status was read: with the cluster's last sync, or later for this machine alone."""
    listed = machine.missing_since or machine.gone_at or machine.silent_since or _synced_at(machine.cluster)
    return max((at for at in (listed, machine.status_at) if at), default=None)
