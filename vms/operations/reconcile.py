"""What is open and in nobody's hands is handed to the engine, whatever became of the engine's own memory."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from clusters import proxmox
from vms.models import ClusterSync, Operation
from vms.operations import enqueue
from vms.operations.admission import TAKE_UP, admit
from vms.operations.steps import work_on

State = Operation.State

# A round of looks that takes longer than this is overtaken by another one, which does no harm.
ROUND = timedelta(seconds=30)


def sweep(*, admitting: bool = True) -> bool:
    """Enqueue what is due: sendings one by one, looks one job for each cluster. Returns whether anything is open.

    Each is pushed forward by the conditional update that lets it be enqueued: however many sweep, and however long
    the engine takes, its memory gets no backlog.
    """
    now = timezone.now()
    if not Operation.objects.open().exists():
        return False
    if admitting:
        for cluster_id in set(Operation.objects.waiting().values_list("cluster_id", flat=True)):
            admit(cluster_id)
    due = Operation.objects.due(now)
    for operation in due.filter(state=State.REQUESTED).only("pk"):
        if _push(operation, now):
            enqueue.operation(operation)
    looked_at = due.exclude(state=State.REQUESTED)
    for cluster_id in set(looked_at.values_list("cluster_id", flat=True)):
        _enqueue_round(cluster_id, now)
    return True


def _push(operation: Operation, now: datetime) -> bool:
    due = Operation.objects.due(now).filter(pk=operation.pk, state=State.REQUESTED)
    return bool(due.order_by().update(next_look_at=now + TAKE_UP))


def _enqueue_round(cluster_id: str, now: datetime) -> None:
    free = ClusterSync.objects.filter(Q(followed_until=None) | Q(followed_until__lt=now), cluster_id=cluster_id)
    if free.update(followed_until=now + ROUND):
        enqueue.following(cluster_id)


def follow_all(cluster_id: str) -> None:
    """Look once after everything of this cluster that was sent, as far as that is due."""
    silent: set[str] = set()
    sent = Operation.objects.due(timezone.now()).filter(cluster_id=cluster_id).exclude(state=State.REQUESTED)
    for operation in sent.select_related("vm", "requested_by"):
        if operation.node in silent:
            continue
        error = work_on(operation)
        if isinstance(error, proxmox.NodeDown):
            silent.add(operation.node)
        elif isinstance(error, proxmox.Unreachable):
            break  # the others would wait for the same cluster
    ClusterSync.objects.filter(cluster_id=cluster_id).update(followed_until=None)
