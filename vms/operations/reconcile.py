"""Enqueues open operations that no worker has, even when the queue has lost their jobs."""

import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_TEXT, CompiledAt, CompiledList, CompiledRows, CompiledUpdate
from clusters import proxmox
from vms import registry
from vms.models import ClusterSync, Operation
from vms.operations import enqueue
from vms.operations.admission import PICK_UP_WITHIN, admit
from vms.operations.following import is_overdue, pause_of, running_on
from vms.operations.steps import take_step

logger = logging.getLogger(__name__)

State = Operation.State

# After this, another job may follow the same cluster. Two at once do no harm.
FOLLOW_TIMEOUT = timedelta(seconds=30)


# Asked with every tick, every follow and every claim.
_ANY_OPEN: CompiledList[Any] = CompiledList(lambda: Operation.objects.open().order_by().values_list("pk")[:1])
_DUE: CompiledAt[Any] = CompiledAt(lambda now: Operation.objects.due(now).values_list("pk", "state", "cluster_id"))
_SENT_AND_DUE = CompiledRows(
    lambda _person, now, cluster_id: (
        Operation.objects.due(now).filter(cluster_id=cluster_id).exclude(state=State.REQUESTED).select_related("vm")
    ),
    of=SENTINEL_TEXT,
)
_POSTPONE = CompiledUpdate(Operation, among=Operation.objects.due)
_FOLLOWED = CompiledUpdate(
    ClusterSync, among=lambda now: ClusterSync.objects.filter(Q(followed_until=None) | Q(followed_until__lt=now))
)
_UNFOLLOWED = CompiledUpdate(ClusterSync)


def reconcile_open(*, admitting: bool = True) -> bool:
    """Enqueue what is due: a job for each operation to send, and one for each cluster to follow.

    Returns whether any operation is open. A conditional update postpones each one before it is enqueued, so that the
    queue gets no backlog, however many workers reconcile and however slow the queue is.
    """
    now = timezone.now()
    if not _ANY_OPEN.all_raw():
        return False
    if admitting:
        for cluster_id in set(Operation.objects.waiting().values_list("cluster_id", flat=True)):
            admit(cluster_id)
    due = _DUE.at(now)
    for pk in [pk for pk, state, _cluster_id in due if state == State.REQUESTED]:
        if _claim(pk, now):
            enqueue.operation(pk)
    for cluster_id in {cluster_id for _pk, state, cluster_id in due if state != State.REQUESTED}:
        _enqueue_following(cluster_id, now)
    return True


def _claim(pk: UUID, now: datetime) -> bool:
    postponed = {"next_look_at": now + PICK_UP_WITHIN}
    return bool(_POSTPONE.update({"pk": pk, "state": State.REQUESTED}, postponed, now=now))


def _enqueue_following(cluster_id: str, now: datetime) -> None:
    if _FOLLOWED.update({"pk": cluster_id}, {"followed_until": now + FOLLOW_TIMEOUT}, now=now):
        enqueue.following(cluster_id)


def _postpone_running(cluster_id: str, due: list[Operation]) -> set[str]:
    """Where several tasks of a node are due, ask for its list. Those that it says run are due again later."""
    now, tasks = timezone.now(), {one.upid: one for one in due if one.upid and not is_overdue(one)}
    nodes = Counter(one.node for one in tasks.values())
    running: set[str] = set()
    for node in (node for node, count in nodes.items() if count > 1):
        try:
            running |= running_on(node, registry.get(cluster_id)) & tasks.keys()
        except (registry.UnknownCluster, proxmox.ProxmoxError) as error:
            logger.info("%s: %s", cluster_id, error)  # each task is asked for by itself, and that records it
            break  # a second silent node would take as long again
    if running:
        soon = min(pause_of(tasks[upid]) for upid in running)
        listed = Operation.objects.free(now).filter(cluster_id=cluster_id, state=State.RUNNING, upid__in=running)
        listed.order_by().update(next_look_at=now + soon)
    return running


def follow_cluster(cluster_id: str) -> None:
    """Take a step with each operation of this cluster that was sent and is due."""
    down_nodes: set[str] = set()
    due = _SENT_AND_DUE.rows(0, timezone.now(), cluster_id)
    running = _postpone_running(cluster_id, due)
    for operation in due:
        if operation.upid in running:
            continue
        if operation.node in down_nodes:
            continue
        error = take_step(operation)
        if isinstance(error, proxmox.NodeDown):
            down_nodes.add(operation.node)
        elif isinstance(error, proxmox.Unreachable):
            break  # the others would wait for the same cluster
    _UNFOLLOWED.update({"pk": cluster_id}, {"followed_until": None})
