"""Runs: which cluster has work, the worker's part in it, and what people do with a run: cancel and retry.

One worker at a time drives all machines of a cluster, so that limits are kept and nodes are asked seldom. When it dies,
another one takes over as soon as its lease is over.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.dispatch import Signal
from django.utils import timezone

from accounts.models import User
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import automation, registry
from vms.models import ClusterSync, MadeMachine, ProvisioningRun
from vms.models.operations import ended
from vms.provisioning import networks, permission
from vms.provisioning.engine.calling import THREADS, Calls
from vms.provisioning.engine.engine import Engine
from vms.provisioning.engine.leases import LEASE, OPEN, RENEW_EVERY
from vms.provisioning.engine.pacing import Duration
from vms.provisioning.engine.slots import Limits
from vms.provisioning.steps import STEPS
from vms.sentences import say

logger = logging.getLogger(__name__)

State, Step = MadeMachine.State, MadeMachine.Step

# How long a job may wait in the queue before another one is enqueued, and the longest turn of one worker.
PICK_UP_WITHIN = timedelta(seconds=10)
LONGEST_DRIVE = 600.0  # seconds

# Seconds between two looks whether runs may still make machines.
ASK_PERMISSION_EVERY = 5.0

# A cluster has machines to make, and nobody makes them: `vms.worker` enqueues a job.
making_waits = Signal()  # cluster_id: str

# Set while this process stops: its jobs end soon.
stopping = threading.Event()

# By cluster, how long its tasks take, as far as this process has seen.
_durations: dict[str, dict[str, Duration]] = {}


def reconcile() -> bool:
    """Enqueue a job for each cluster with due machines that no worker drives. Returns whether any are to be made."""
    now = timezone.now()
    open_machines = MadeMachine.objects.filter(state__in=OPEN).order_by()
    clusters = set(open_machines.values_list("cluster_id", flat=True).distinct())
    for cluster_id in clusters:
        due = open_machines.filter(Q(next_look_at=None) | Q(next_look_at__lte=now), cluster_id=cluster_id)
        if due.exists() and _postpone(cluster_id, now):
            making_waits.send(None, cluster_id=cluster_id)
    return bool(clusters)


def begin(_run: object = None) -> None:
    """A run was just committed: have its machines made at once, not with the next heartbeat."""
    reconcile()


def drive(cluster_id: str, *, threads: int = THREADS) -> None:
    """Make machines of this cluster until there is nothing to do, or this process stops."""
    worker = secrets.token_hex(8)
    if not _claim(cluster_id, worker):
        return
    try:
        _drive(registry.get(cluster_id), worker, threads)
    except registry.UnknownCluster:
        _give_up(cluster_id, say("cluster-switched-off"))
    except (proxmox.NoCredential, proxmox.CredentialUnreadable) as error:
        _give_up(cluster_id, error.plain)
    finally:
        ClusterSync.objects.filter(cluster_id=cluster_id, provisioned_by=worker).update(
            provisioned_by="", provisioned_until=None
        )
        close_finished()


def _drive(config: ClusterConfig, worker: str, threads: int) -> None:
    begun, renewed, asked = time.monotonic(), time.monotonic(), float("-inf")
    with Calls(config, threads=threads) as calls:
        engine = engine_for(config, calls)
        try:
            pause = 0.0
            while not stopping.is_set() and time.monotonic() < begun + LONGEST_DRIVE:
                if time.monotonic() > asked + ASK_PERMISSION_EVERY:
                    asked = time.monotonic()
                    withdraw(config.cluster_id)
                pause = engine.turn(within=pause)
                if engine.is_idle:
                    break
                if time.monotonic() > renewed + RENEW_EVERY:
                    renewed = time.monotonic()
                    is_off = automation.is_held() or not gateway.may_make(config)
                    if is_off or not _renew(config.cluster_id, worker):
                        break
                    close_finished()
            engine.finish()
        finally:
            engine.leave()


def engine_for(
    config: ClusterConfig,
    calls: Calls,
    *,
    durations: dict[str, Duration] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Engine:
    """Its limits are those that are in force now, and its durations those that this process has learned."""
    state = ClusterSync.objects.filter(cluster_id=config.cluster_id).first()
    limits = Limits.in_force(tasks_per_node=state.node_limit if state else None)
    known = _durations.setdefault(config.cluster_id, {}) if durations is None else durations
    return Engine(config, calls, steps=STEPS, limits=limits, durations=known, clock=clock)


def _postpone(cluster_id: str, now: datetime) -> bool:
    """Whether nobody drives the cluster, and no job for it was enqueued just now."""
    ClusterSync.objects.get_or_create(cluster_id=cluster_id)
    free = ClusterSync.objects.filter(Q(provisioned_until=None) | Q(provisioned_until__lt=now), cluster_id=cluster_id)
    return bool(free.update(provisioned_by="", provisioned_until=now + PICK_UP_WITHIN))


def _claim(cluster_id: str, worker: str) -> bool:
    now = timezone.now()
    free = ClusterSync.objects.filter(Q(provisioned_by="") | Q(provisioned_until__lt=now), cluster_id=cluster_id)
    return bool(free.update(provisioned_by=worker, provisioned_until=now + LEASE))


def _renew(cluster_id: str, worker: str) -> bool:
    mine = ClusterSync.objects.filter(cluster_id=cluster_id, provisioned_by=worker)
    return bool(mine.update(provisioned_until=timezone.now() + LEASE))


def _give_up(cluster_id: str, why: str) -> None:
    """Nothing can be sent. What was begun keeps its step, and goes on when somebody retries it."""
    now = timezone.now()
    free = MadeMachine.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now), cluster_id=cluster_id)
    free.filter(state=State.REMOVING).order_by().update(state=State.REFUSED, leased_until=None, **ended(why))
    free.filter(state__in=OPEN).order_by().update(state=State.FAILED, leased_until=None, **ended(why))


def close_finished() -> None:
    """Write down which runs have ended."""
    unfinished = MadeMachine.objects.filter(run=OuterRef("pk"), state__in=OPEN)
    over = ProvisioningRun.objects.filter(~Exists(unfinished), finished_at=None)
    over.order_by().update(finished_at=timezone.now())


# What people do with a run


def cancel_waiting(run: ProvisioningRun, *, by: User) -> int:
    """Cancel the machines that were not begun. Returns how many; nothing was sent for them."""
    return _cancel(run, say("made-cancelled-by", name=by.get_username()))


def withdraw(cluster_id: str) -> int:
    """Cancel those machines of a cluster that wait in runs which may make none any more. Returns how many."""
    waiting = MadeMachine.objects.filter(cluster_id=cluster_id, state=State.WAITING).order_by().values("run")
    found = 0
    for run in ProvisioningRun.objects.filter(pk__in=waiting).select_related("requested_by"):
        if why := permission.refusal(run):
            found += _cancel(run, say(why.code))
    return found


def _cancel(run: ProvisioningRun, words: str) -> int:
    now = timezone.now()
    why = ended(words)
    with transaction.atomic():
        waiting = MadeMachine.objects.filter(run=run, state=State.WAITING).order_by()
        cancelled = waiting.update(state=State.CANCELLED, removed_at=now, leased_until=None, **why)
        if cancelled:
            ProvisioningRun.objects.filter(pk=run.pk).update(cancelled_at=now)
            networks.return_unused(run.machines.exclude(lease=None).values_list("lease", flat=True))
    close_finished()
    return cancelled


def retry_failed(run: ProvisioningRun) -> int:
    """Have the failed machines go on where they failed. Returns how many. What was sent before is looked for first."""
    fresh: dict[str, Any] = {"next_look_at": None, "leased_until": None, "tries": 0, **ended("")}
    with transaction.atomic():
        failed = MadeMachine.objects.filter(run=run, state__in=[State.FAILED, State.STUCK], removed_at=None).order_by()
        waiting = failed.filter(step=Step.RESERVED, sent_what="").update(state=State.WAITING, **fresh)
        again = waiting + failed.update(state=State.WORKING, **fresh)
        if again:
            ProvisioningRun.objects.filter(pk=run.pk).update(finished_at=None)
    return again
