"""Enqueues open operations that no worker has, even when the queue has lost their jobs."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from clusters import proxmox
from vms.models import ClusterSync, Operation
from vms.operations import enqueue
from vms.operations.admission import PICK_UP_WITHIN, admit
from vms.operations.steps import take_step

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


def follow_cluster(cluster_id: str) -> None:
    """Take a step with each operation of this cluster that was sent and is due."""
    down_nodes: set[str] = set()
    sent = Operation.objects.due(timezone.now()).filter(cluster_id=cluster_id).exclude(state=State.REQUESTED)
    for operation in sent.select_related("vm", "requested_by"):
        if operation.node in down_nodes:
            continue
        error = take_step(operation)
        if isinstance(error, proxmox.NodeDown):
            down_nodes.add(operation.node)
        elif isinstance(error, proxmox.Unreachable):
            break  # the others would wait for the same cluster
    ClusterSync.objects.filter(cluster_id=cluster_id).update(followed_until=None)
