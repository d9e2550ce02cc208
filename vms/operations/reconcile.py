"""Enqueues open operations that no worker has, even when the queue has lost their jobs."""

import logging
from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from clusters import proxmox
from vms import registry
from vms.models import ClusterSync, Operation
from vms.operations import enqueue
from vms.operations.admission import PICK_UP_WITHIN, admit
from vms.operations.following import is_overdue, running_on
from vms.operations.steps import pause_of, take_step

logger = logging.getLogger(__name__)

State = Operation.State

# After this, another job may follow the same cluster. Two at once do no harm.
FOLLOW_TIMEOUT = timedelta(seconds=30)


def reconcile_open(*, admitting: bool = True) -> bool:
    """Enqueue what is due: a job for each operation to send, and one for each cluster to follow.

    Returns whether any operation is open. A conditional update postpones each one before it is enqueued, so that the
    queue gets no backlog, however many workers reconcile and however slow the queue is.
    """
    now = timezone.now()
    if not Operation.objects.open().exists():
        return False
    if admitting:
        for cluster_id in set(Operation.objects.waiting().values_list("cluster_id", flat=True)):
            admit(cluster_id)
    due = Operation.objects.due(now)
    for operation in due.filter(state=State.REQUESTED).only("pk"):
        if _claim(operation, now):
            enqueue.operation(operation)
    followed = due.exclude(state=State.REQUESTED)
    for cluster_id in set(followed.values_list("cluster_id", flat=True)):
        _enqueue_following(cluster_id, now)
    return True


def _claim(operation: Operation, now: datetime) -> bool:
    due = Operation.objects.due(now).filter(pk=operation.pk, state=State.REQUESTED)
    return bool(due.order_by().update(next_look_at=now + PICK_UP_WITHIN))


def _enqueue_following(cluster_id: str, now: datetime) -> None:
    free = ClusterSync.objects.filter(Q(followed_until=None) | Q(followed_until__lt=now), cluster_id=cluster_id)
    if free.update(followed_until=now + FOLLOW_TIMEOUT):
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
    sent = Operation.objects.due(timezone.now()).filter(cluster_id=cluster_id).exclude(state=State.REQUESTED)
    due = list(sent.select_related("vm", "requested_by"))
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
    ClusterSync.objects.filter(cluster_id=cluster_id).update(followed_until=None)
