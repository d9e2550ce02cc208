"""Read a cluster and write what changed: one call, one short transaction, nothing deleted."""

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from clusters import gate, proxmox
from clusters.config import ClusterConfig
from clusters.models import Cluster, ClusterHealth
from vms.inventory import runs, surroundings, suspicion, table
from vms.inventory.outcome import Outcome, Result
from vms.models import ClusterSync

logger = logging.getLogger(__name__)

# The health of a cluster that stays as it is, is written down so often.
HEALTH_PRECISION = timedelta(minutes=1)

LATE = "Another worker has read this cluster since; what this one brought was dropped."
DELETED = "The cluster was deleted meanwhile."


def sync(config: ClusterConfig, *, attempt: int | None = None) -> Outcome:
    """Read one cluster. Its failure is written down as its own health and raised nowhere.

    `attempt` is the number of the turn, by `ClusterSync.claim`: whoever comes late with a former one writes nothing.
    """
    started, clock = timezone.now(), time.monotonic()
    try:
        with gate.read(config, deadline=_deadline(config.cluster_id)) as pve:
            answer = pve.resources()
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", config.cluster_id, error.plain)
        return _write_failure(config.cluster_id, error, started, clock, attempt)
    return _take_over(config.cluster_id, answer, started, clock, attempt)


def _deadline(cluster_id: str) -> float:
    own = ClusterSync.objects.filter(cluster_id=cluster_id).values_list("deadline", flat=True).first()
    return float(own or settings.SYNC_DEADLINE)


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
        runs.note(cluster_id, outcome, at=started, milliseconds=_milliseconds(clock))
    return outcome


def _take_over(
    cluster_id: str, answer: proxmox.Resources, started: datetime, clock: float, attempt: int | None
) -> Outcome:
    answered = _milliseconds(clock)
    with transaction.atomic():
        state = _locked(cluster_id)
        if state is None or attempt not in (None, state.attempt):
            return Outcome(problem=DELETED if state is None else LATE, result=Result.FAILED)
        ClusterHealth.succeeded(cluster_id, at=started, within=HEALTH_PRECISION)
        outcome = _compare(state, answer, started, answered)
        runs.note(cluster_id, outcome, at=started, milliseconds=_milliseconds(clock))
    return outcome


def _compare(state: ClusterSync, answer: proxmox.Resources, started: datetime, answered: int) -> Outcome:
    known = table.read(state.cluster_id)
    seen = {guest.vmid: guest for guest in answer.guests}
    lost = [row for vmid, row in known.items() if vmid not in seen]
    problem = suspicion.of(answer, state, known=known, lost=lost)
    offline = {node.name for node in answer.nodes if not node.online}
    outcome = table.write(state.cluster_id, known, seen, offline, started, is_complete=not problem)
    if not problem:
        newly, gone = table.miss(lost, started)
        outcome = replace(outcome, missing=newly, gone=outcome.gone + gone)
    surroundings.write(state.cluster_id, answer, started, is_complete=not problem)
    _remember(state, started, answered, problem, is_whole=not problem or not any(row.is_present for row in lost))
    return replace(outcome, problem=problem, result=Result.SUSPICIOUS if problem else Result.OK)


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
