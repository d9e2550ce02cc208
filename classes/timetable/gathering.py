"""Gathers evidence of idleness on the clusters: figures of the last hour, and at last what the guest agent says.

Only of machines whose class stops idle machines, and which everything else that the portal knows would let be stopped:
they have been running for long enough, nobody keeps them on, no lesson is running, and no console has had input.
"""

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from classes.models import IdleEvidence, RunningRules, StopNotice
from classes.timetable import decision, idleness, lookups, stopping
from classes.timetable.decision import Facts, Reason, Users
from classes.timetable.idleness import Quiet
from classes.timetable.machines import Row
from classes.timetable.stopping import Watch
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.inventory.details import MACHINE_ERRORS
from vms.models import VirtualMachine
from vms.worker.tasks import job

logger = logging.getLogger(__name__)

Trouble = IdleEvidence.Trouble

LOOK_EVERY = timedelta(seconds=15)

# Calls at one look: reading figures takes a node 0.05 s, and an agent that does not answer takes it 3 s.
FIGURES_OF_NODE, FIGURES_OF_CLUSTER = 8, 40
AGENTS_OF_NODE, AGENTS_OF_CLUSTER = 4, 16
# Seconds for all calls of one look, and for one of them.
PATIENCE, DEADLINE = 10.0, 5.0

# Machines that are looked at without asking the cluster, at one look.
CANDIDATES = 200

# When a machine is asked for again: at most once a minute, and before the figures of the last hour are over.
SOONEST, LATEST = timedelta(minutes=1), timedelta(minutes=45)
AFTER_TROUBLE = timedelta(minutes=5)


def enqueue_due(now: datetime | None = None) -> None:
    """A job for each cluster with machines that are due: one that hangs delays no other. Five queries at most."""
    now = now or timezone.now()
    classes = _classes(now)
    if not classes:
        return
    running = _running(classes)
    new = running.filter(idle_evidence=None).order_by().values_list("pk", flat=True)
    IdleEvidence.objects.bulk_create([IdleEvidence(vm_id=pk, due_at=now) for pk in new], ignore_conflicts=True)
    due = running.filter(_is_due(now), cluster__health__ok=True)
    for cluster_id in sorted(set(due.order_by().values_list("cluster_id", flat=True).distinct())):
        gather_idle_evidence.enqueue(cluster_id)


def _classes(now: datetime) -> set[int]:
    """Classes that stop idle machines, without those that have a lesson now."""
    found = RunningRules.objects.exclude(idle_minutes=None).filter(lab_class__ended_at=None)
    classes = set(found.values_list("lab_class", flat=True))
    return classes - {due.lab_class for due in lookups.running(now)} if classes else classes


def _running(classes: Collection[int]) -> QuerySet[VirtualMachine]:
    there: QuerySet[VirtualMachine] = VirtualMachine.objects.present().on_active_clusters().filter(
        class_machine__lab_class__in=classes, class_machine__is_leaving=False, template=False, missing_since=None,
        silent_since=None, status="running",
    )  # fmt: skip
    return there


def _is_due(now: datetime) -> Q:
    """A time that is too far ahead is of another clock."""
    return Q(idle_evidence__due_at__lte=now) | Q(idle_evidence__due_at__gt=now + LATEST)


@job(queue="clusters", module="classes.jobs", acts=True)
def gather_idle_evidence(cluster_id: str) -> None:
    """Ask a cluster about its machines that are due."""
    try:
        config = registry.get(cluster_id)
    except registry.UnknownCluster:
        return
    gather(config)


def gather(config: ClusterConfig) -> int:
    """Returns how many machines were asked for. 18 queries at most, and three for each of these machines."""
    now = timezone.now()
    end = time.monotonic() + PATIENCE
    due = _due(config.cluster_id, now)
    found = stopping.watch_these(due, now)
    worth = sorted(_worth_asking(found), key=lambda row: due.index(row.pk))
    asked: list[Row] = []
    try:
        with gateway.read(config, deadline=DEADLINE) as pve:
            asked += _read(pve, found, worth, end)
        if to_ask := [row for row in asked if _asks_users(found, row)]:
            with gateway.connect(config) as agents:
                for row in _within(to_ask, AGENTS_OF_NODE, AGENTS_OF_CLUSTER):
                    if time.monotonic() < end:
                        _ask_agent(agents, found, row)
    except proxmox.ProxmoxError as error:  # the cluster does not answer: what is missing is no evidence
        logger.info("%s: %s", config.cluster_id, error.plain)
    return len(asked)


def _due(cluster_id: str, now: datetime) -> list[int]:
    """Those that a notice was given for first, then those that wait longest."""
    notice = StopNotice.objects.filter(vm=OuterRef("pk"), ended_at=None)
    due = _running(_classes(now)).filter(_is_due(now), cluster_id=cluster_id)
    return list(
        due.order_by(Exists(notice).desc(), "idle_evidence__due_at", "pk").values_list("pk", flat=True)[:CANDIDATES]
    )


def _worth_asking(found: Watch) -> Iterator[Row]:
    """Machines that would be idle with quiet figures. The others are put off for some minutes."""
    put_off = []
    for row in found.rows:
        facts = stopping.facts_of(found, row)
        decided = decision.decide(_if_quiet(facts))
        if Reason.IDLE in {decided.notice_for, decided.reason}:
            yield row
        elif row.pk in found.evidence:
            put_off.append(row.pk)
    if put_off:
        IdleEvidence.objects.filter(vm__in=put_off).update(due_at=found.now + decision.LOOK_AGAIN)


def _if_quiet(facts: Facts) -> Facts:
    """A span that is longer than what a cluster tells of has to be read from its beginning on, used or not."""
    span = facts.rules.idle_after or timedelta()
    activity = facts.activity
    if activity.users == Users.NOT_ASKED:
        activity = replace(activity, users=Users.NOBODY_LISTED)
    activity = replace(activity, quiet_since=facts.now - span, measured_at=facts.now)
    if span <= LATEST or facts.running_since is None:
        return replace(facts, activity=activity)
    begin = min(facts.running_since, facts.now - span)
    return replace(facts, activity=replace(activity, input_at=None), running_since=begin)


def _within(rows: Iterable[Row], of_node: int, of_cluster: int) -> Iterator[Row]:
    """As many as the limits allow, in their order."""
    nodes: Counter[object] = Counter()
    for row in rows:
        if nodes[row.node] < of_node and nodes.total() < of_cluster:
            nodes[row.node] += 1
            yield row


def _claim(found: Watch, row: Row) -> bool:
    """False when another worker asks for it."""
    one = found.evidence[row.pk]
    mine = IdleEvidence.objects.filter(pk=one.pk, due_at=one.due_at)
    one.due_at = found.now + SOONEST
    return bool(mine.update(due_at=one.due_at))


def _read(pve: proxmox.Reader, found: Watch, rows: Iterable[Row], end: float) -> Iterator[Row]:
    """Read the figures of as many as may be asked for, and which have them now. A node that hangs is left for later."""
    hanging = set()
    for row in _within(rows, FIGURES_OF_NODE, FIGURES_OF_CLUSTER):
        if row.node in hanging or time.monotonic() >= end or not _claim(found, row):
            continue
        try:
            _read_figures(pve, found, row)
        except proxmox.TimedOut as error:
            logger.info("%s: %s", row.name, error.plain)
            hanging.add(row.node)
        else:
            yield row


def _read_figures(pve: proxmox.Reader, found: Watch, row: Row) -> None:
    one = found.evidence[row.pk]
    node, kind, vmid = row.node[1], row.kind, row.vmid
    try:
        earlier = Quiet(one.quiet_since, one.measured_at, one.cpu, one.network)
        quiet = idleness.quiet(pve.load(node, kind, vmid), idleness.Limits.of_portal(), earlier=earlier)
    except MACHINE_ERRORS as error:
        logger.info("%s: %s", row.name, error.plain)
        quiet = Quiet()
    one.read_at, one.measured_at, one.quiet_since = found.now, quiet.measured_at, quiet.since
    one.cpu, one.network = quiet.cpu, quiet.network
    if quiet.measured_at is None or quiet.measured_at <= found.now - decision.MEASURED_WITHIN:
        one.trouble = Trouble.FIGURES
    elif one.trouble == Trouble.FIGURES:
        one.trouble = ""
    one.due_at = _next(found, row)
    one.save()


def _next(found: Watch, row: Row) -> datetime:
    """When it is asked for again: when it may be idle, and every minute while a notice is shown."""
    one, facts = found.evidence[row.pk], stopping.facts_of(found, row)
    if one.trouble == Trouble.FIGURES:
        return facts.now + AFTER_TROUBLE
    decided = decision.decide(facts)
    if decided.asks_users:
        return facts.now + LOOK_EVERY
    if decided.notice_for:
        return min(max(decided.until or facts.now, facts.now + LOOK_EVERY), facts.now + SOONEST)
    idle_at = (one.quiet_since or facts.now) + (facts.rules.idle_after or timedelta())
    return min(max(idle_at, facts.now + SOONEST), facts.now + LATEST)


def _asks_users(found: Watch, row: Row) -> bool:
    return decision.decide(stopping.facts_of(found, row)).asks_users


def _ask_agent(agents: proxmox.Reader, found: Watch, row: Row) -> None:
    """With the main credential, as for addresses. Containers have no agent."""
    one = found.evidence[row.pk]
    said = Users.NO_ANSWER
    if row.kind == VirtualMachine.Kind.QEMU:
        try:
            said = Users.LISTED if agents.users(row.node[1], row.vmid) else Users.NOBODY_LISTED
        except MACHINE_ERRORS as error:
            logger.info("%s: %s", row.name, error.plain)
    one.users, one.users_at = said, timezone.now()
    one.trouble = Trouble.AGENT if said == Users.NO_ANSWER else ""
    one.due_at = found.now + SOONEST
    one.save()
