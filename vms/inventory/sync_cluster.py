"""Read a cluster and write what changed: one call, one short transaction, nothing deleted."""

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from clusters.models import Cluster, ClusterHealth
from vms.inventory import last_read, machine_table, nodes_and_pools, shrink_guard, sync_runs
from vms.inventory.last_read import Memory
from vms.inventory.sync_result import Outcome, Result
from vms.models import ClusterSync

logger = logging.getLogger(__name__)

# The health of a cluster that stays as it is, is written down so often.
HEALTH_PRECISION = timedelta(minutes=1)

# So long ago a status was asked for directly that a read has looked at the machine since the list was newer.
OBSERVED = machine_table.LIST_LAG + timedelta(seconds=last_read.LIFE)

LATE = gettext_noop("Another worker has read this cluster since; what this one brought was dropped.")
DELETED = gettext_noop("The cluster was deleted meanwhile.")


def sync(config: ClusterConfig, *, attempt: int | None = None) -> Outcome:
    """Read one cluster. Its failure is written down as its own health and raised nowhere.

    `attempt` is the number of the turn, by `ClusterSync.claim`: whoever comes late with a former one writes nothing.
    """
    started, clock = timezone.now(), time.monotonic()
    state = ClusterSync.objects.filter(cluster_id=config.cluster_id).first()
    known = last_read.recall(config)
    known = known if known and state and known.goes_on(state) else None
    again = machine_table.lately_observed(config.cluster_id, after=started - OBSERVED) if known else ()
    try:
        with gateway.read(config, deadline=float((state and state.deadline) or settings.SYNC_DEADLINE)) as pve:
            answer = pve.resources_since(known.digest if known else None, again=again)
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", config.cluster_id, error.plain)
        last_read.forget(config.cluster_id)
        return _write_failure(config.cluster_id, error, started, clock, attempt)
    known = known if answer.unchanged else None
    outcome = _take_over(config.cluster_id, answer, started, clock, attempt, known=known)
    if outcome is None:
        last_read.forget(config.cluster_id)
        return sync(config, attempt=attempt)
    _keep_in_mind(config, answer, outcome, known, started)
    return outcome


def _keep_in_mind(
    config: ClusterConfig, answer: proxmox.Resources, outcome: Outcome, known: Memory | None, started: datetime
) -> None:
    """Not while rows wait for being gone: each whole answer that lacks them counts."""
    if answer.digest and outcome.result == Result.OK and not outcome.lacking:
        last_read.keep(config, answer.digest, synced_at=started, after=known)
    else:
        last_read.forget(config.cluster_id)


def _write_failure(
    cluster_id: str, error: proxmox.ProxmoxError, started: datetime, clock: float, attempt: int | None
) -> Outcome:
    outcome = Outcome(problem=error.plain, result=Result.FAILED)
    with transaction.atomic():
        state = _locked(cluster_id)
        if state is None or attempt not in (None, state.attempt):
            return replace(outcome, problem=DELETED if state is None else LATE)
        kind = type(error).__name__
        ClusterHealth.failed(cluster_id, error.plain, kind=kind, at=started, within=HEALTH_PRECISION)
        sync_runs.note(cluster_id, outcome, at=started, milliseconds=_milliseconds(clock))
    return outcome


def _take_over(
    cluster_id: str,
    answer: proxmox.Resources,
    started: datetime,
    clock: float,
    attempt: int | None,
    *,
    known: Memory | None,
) -> Outcome | None:
    """None, and nothing written, when the answer is partial and its other part is no longer what the rows say."""
    answered = _milliseconds(clock)
    with transaction.atomic():
        state = _locked(cluster_id)
        if state is None or attempt not in (None, state.attempt):
            return Outcome(problem=DELETED if state is None else LATE, result=Result.FAILED)
        if known and not known.goes_on(state):
            return None
        ClusterHealth.succeeded(cluster_id, at=started, within=HEALTH_PRECISION)
        compare = _compare_part if known else _compare
        outcome = compare(state, answer, started, answered)
        sync_runs.note(cluster_id, outcome, at=started, milliseconds=_milliseconds(clock))
    return outcome


def _compare(state: ClusterSync, answer: proxmox.Resources, started: datetime, answered: int) -> Outcome:
    known = machine_table.read(state.cluster_id)
    seen = {guest.vmid: guest for guest in answer.guests}
    lost = [row for vmid, row in known.items() if vmid not in seen]
    problem = shrink_guard.of(answer, state, known=known, lost=lost)
    offline = {node.name for node in answer.nodes if not node.online}
    outcome = machine_table.write(state.cluster_id, known, seen, offline, started, is_complete=not problem)
    if not problem:
        newly, gone = machine_table.miss(lost, started)
        outcome = replace(outcome, missing=newly, gone=outcome.gone + gone)
    nodes_and_pools.write(state.cluster_id, answer, started, is_complete=not problem)
    _remember(state, started, answered, problem, is_whole=not problem or not any(row.is_present for row in lost))
    return replace(outcome, problem=problem, result=Result.SUSPICIOUS if problem else Result.OK, lacking=len(lost))


def _compare_part(state: ClusterSync, answer: proxmox.Resources, started: datetime, answered: int) -> Outcome:
    """What differs from an answer that was believed, of the same machines on the same nodes."""
    seen = {guest.vmid: guest for guest in answer.guests}
    outcome = Outcome()
    if seen:
        known = machine_table.read(state.cluster_id, vmids=seen)
        offline = {node.name for node in answer.nodes if not node.online}
        outcome = machine_table.write(state.cluster_id, known, seen, offline, started, is_complete=True)
        moved = {guest.pool for vmid, guest in seen.items() if vmid not in known or known[vmid].pool != guest.pool}
        nodes_and_pools.add_pools(state.cluster_id, moved - {""}, started)
    _remember(state, started, answered, "", is_whole=True)
    return replace(outcome, seen=answer.unchanged + len(seen))


def _remember(state: ClusterSync, started: datetime, answered: int, problem: str, *, is_whole: bool) -> None:
    """A person's belief is in one answer, and used up by it."""
    values = {"notice": problem[:300], "milliseconds": answered, "believe_down_to": None}
    if is_whole:
        values["synced_at"] = started
    ClusterSync.objects.filter(pk=state.pk).update(**values)


def _locked(cluster_id: str) -> ClusterSync | None:
    """The cluster's row serialises its syncs, and a deletion meanwhile. None when it is deleted."""
    if not Cluster.objects.select_for_update().filter(cluster_id=cluster_id).exists():
        return None
    return ClusterSync.objects.get_or_create(cluster_id=cluster_id)[0]


def _milliseconds(clock: float) -> int:
    return int((time.monotonic() - clock) * 1000)
