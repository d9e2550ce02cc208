"""Sync a cluster: one call, one short transaction that writes what changed, nothing deleted."""

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from clusters.models import ClusterHealth
from vms.inventory import cluster_facts, last_read, machine_table, nodes_and_pools, shrink_guard, sync_runs, sync_state
from vms.inventory.last_read import LastRead
from vms.inventory.sync_result import Outcome, SyncResult
from vms.inventory.sync_state import SyncState
from vms.models import ClusterSync
from vms.sentences import say

logger = logging.getLogger(__name__)

# How often unchanged health is written.
HEALTH_PRECISION = timedelta(minutes=1)

# A status that was asked for directly longer ago than this has been compared by a later read.
RECENTLY = machine_table.LIST_LAG + timedelta(seconds=last_read.FULL_READ_EVERY)


def sync(config: ClusterConfig, *, attempt: int | None = None) -> SyncResult:
    """Sync one cluster. A failure is recorded as the cluster's health and never raised.

    `attempt` is the number that `ClusterSync.claim` returned. A sync with an older number writes nothing.
    """
    started, clock = timezone.now(), time.monotonic()
    state = sync_state.read(config.cluster_id)
    known = last_read.recall(config)
    known = known if known and state and known.is_current(state) else None
    observed = machine_table.recently_observed(config.cluster_id, after=started - RECENTLY) if known else ()
    try:
        with gateway.read(config, deadline=float((state and state.deadline) or settings.SYNC_DEADLINE)) as pve:
            answer = pve.resources_since(known.digest if known else None, again=observed)
            _read_quorum(pve, answer, state, attempt)
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", config.cluster_id, error)
        last_read.forget(config.cluster_id)
        return _write_failure(config.cluster_id, error, started, clock, attempt)
    known = known if answer.unchanged else None
    result = _apply(config.cluster_id, answer, started, clock, attempt, known=known)
    if result is None:
        last_read.forget(config.cluster_id)
        return sync(config, attempt=attempt)
    _remember(config, answer, result, known, started)
    return result


def _read_quorum(pve: proxmox.Reader, answer: proxmox.Resources, state: SyncState | None, attempt: int | None) -> None:
    """Read whether the cluster has quorum now, where that decides whether the list is whole.

    A cluster that said no has none until it says yes.
    """
    if state is None or not (shrink_guard.needs_quorum(answer) or state.quorate is False):
        return
    try:
        status = cluster_facts.cluster_status(pve)
    except proxmox.ProxmoxError as error:
        logger.info("%s: %s", state.cluster_id, error.plain)
        status = None
    current = {} if attempt is None else {"attempt": attempt}
    unknown = None if state.quorate is not False else False
    quorate = status.quorate if status else unknown
    ClusterSync.objects.filter(cluster_id=state.cluster_id, **current).update(quorate=quorate)


def _remember(
    config: ClusterConfig, answer: proxmox.Resources, result: SyncResult, known: LastRead | None, started: datetime
) -> None:
    """Keep the answer for the next sync, except while machines are missing: each full answer without them counts."""
    if answer.digest and result.outcome == Outcome.OK and not result.lacking:
        last_read.remember(config, answer.digest, synced_at=started, after=known)
    else:
        last_read.forget(config.cluster_id)


def _write_failure(
    cluster_id: str, error: proxmox.ProxmoxError, started: datetime, clock: float, attempt: int | None
) -> SyncResult:
    result = SyncResult(problem=error.plain, outcome=Outcome.FAILED)
    with transaction.atomic():
        state = sync_state.lock(cluster_id)
        if state is None or attempt not in (None, state.attempt):
            return replace(result, problem=_why_nothing(state))
        kind = type(error).__name__
        ClusterHealth.failed(cluster_id, error.plain, kind=kind, at=started, within=HEALTH_PRECISION)
        sync_runs.record(cluster_id, result, at=started, milliseconds=_milliseconds(clock))
    return result


def _apply(
    cluster_id: str,
    answer: proxmox.Resources,
    started: datetime,
    clock: float,
    attempt: int | None,
    *,
    known: LastRead | None,
) -> SyncResult | None:
    """None, with nothing written, when the answer is partial and the rows have changed since the read before it."""
    answered = _milliseconds(clock)
    with transaction.atomic():
        state = sync_state.lock(cluster_id)
        if state is None or attempt not in (None, state.attempt):
            return SyncResult(problem=_why_nothing(state), outcome=Outcome.FAILED)
        if known and not known.is_current(state):
            return None
        ClusterHealth.succeeded(cluster_id, at=started, within=HEALTH_PRECISION)
        compare = _compare_partial if known else _compare_full
        result = compare(state, answer, started, answered)
        sync_runs.record(cluster_id, result, at=started, milliseconds=_milliseconds(clock))
    return result


def _compare_full(state: SyncState, answer: proxmox.Resources, started: datetime, answered: int) -> SyncResult:
    known = machine_table.read(state.cluster_id)
    seen = {guest.vmid: guest for guest in answer.guests}
    lost = [row for vmid, row in known.items() if vmid not in seen]
    problem = shrink_guard.check(answer, state, known=known, lost=lost)
    offline = {node.name for node in answer.nodes if not node.online}
    result = machine_table.write(state.cluster_id, known, seen, offline, started, is_complete=not problem)
    if not problem:
        newly, gone = machine_table.mark_missing(lost, started)
        result = replace(result, missing=newly, gone=result.gone + gone)
    nodes_and_pools.write(state.cluster_id, answer, started, is_complete=not problem)
    sync_state.record(
        state,
        started,
        answered,
        problem or _oddities(answer),
        is_full_read=not problem or not any(row.is_present for row in lost),
    )
    return replace(result, problem=problem, outcome=Outcome.SUSPICIOUS if problem else Outcome.OK, lacking=len(lost))


def _compare_partial(state: SyncState, answer: proxmox.Resources, started: datetime, answered: int) -> SyncResult:
    """Apply what differs from an answer that was applied before, of the same machines on the same nodes."""
    seen = {guest.vmid: guest for guest in answer.guests}
    result = SyncResult()
    if seen:
        known = machine_table.read(state.cluster_id, vmids=seen)
        offline = {node.name for node in answer.nodes if not node.online}
        result = machine_table.write(state.cluster_id, known, seen, offline, started, is_complete=True)
        moved = {guest.pool for vmid, guest in seen.items() if vmid not in known or known[vmid].pool != guest.pool}
        nodes_and_pools.add_pools(state.cluster_id, moved - {""}, started)
    sync_state.record(state, started, answered, "", is_full_read=True)
    return replace(result, seen=answer.unchanged + len(seen))


def _oddities(answer: proxmox.Resources) -> str:
    """Oddities of an answer that was applied nevertheless, for staff."""
    return say("odd-figures", vmids=shrink_guard.listed(answer.odd_vmids)) if answer.odd_vmids else ""


def _why_nothing(state: SyncState | None) -> str:
    return say("cluster-deleted") if state is None else say("read-by-another")


def _milliseconds(clock: float) -> int:
    return int((time.monotonic() - clock) * 1000)
