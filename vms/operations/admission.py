"""Admission: how many operations run at a time, and in which order the others wait."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from vms.models import ClusterSync, Operation
from vms.models.operations import ended
from vms.operations import enqueue
from vms.sentences import say

State = Operation.State

# When a whole class clicks at once, operations wait long. But after an outage of workers or a cluster nobody wants a
# machine started that was requested longer ago than this.
MAX_WAIT = timedelta(minutes=30)

# An admitted operation is enqueued at once. When the queue loses it, it is enqueued again after this.
PICK_UP_WITHIN = timedelta(seconds=10)


def admit(cluster_id: str, *, without: uuid.UUID | None = None) -> int:
    """Admit waiting operations, in order, up to the limits of this cluster and its nodes. Returns how many.

    The cluster's row is locked, so that two workers do not both fill the last slot. Each admitted operation is
    enqueued, except `without`, which the caller carries out itself.
    """
    with transaction.atomic():
        ClusterSync.objects.get_or_create(cluster_id=cluster_id)
        limits = ClusterSync.objects.select_for_update().get(cluster_id=cluster_id)
        now = timezone.now()
        _cancel_stale(cluster_id, now)
        admitted = [one for one in _next_admissible(limits) if _admit_one(one, now)]
        for one in admitted:
            if one.pk != without:
                transaction.on_commit(partial(enqueue.operation, one), robust=True)
    return len(admitted)


def _cancel_stale(cluster_id: str, now: datetime) -> None:
    stale = Operation.objects.waiting().filter(cluster_id=cluster_id, requested_at__lt=now - MAX_WAIT)
    stale.order_by().update(state=State.CANCELLED, finished_at=now, **ended(say("waited-too-long")))


def _next_admissible(limits: ClusterSync) -> list[Operation]:
    of_cluster = Operation.objects.filter(cluster_id=limits.cluster_id)
    busy = Counter(of_cluster.in_slots().values_list("node", flat=True))
    room = (limits.cluster_limit or settings.OPERATIONS_PER_CLUSTER) - busy.total()
    found: list[Operation] = []
    if room <= 0:
        return found
    for operation in of_cluster.waiting().select_related("vm").only("vm", "vm__node"):
        operation.node = operation.vm.node if operation.vm else ""
        if busy[operation.node] < (limits.node_limit or settings.OPERATIONS_PER_NODE):
            busy[operation.node] += 1
            found.append(operation)
        if len(found) == room:
            break
    return found


def _admit_one(operation: Operation, now: datetime) -> bool:
    waiting = Operation.objects.waiting().filter(pk=operation.pk).order_by()
    return bool(waiting.update(admitted_at=now, node=operation.node, next_look_at=now + PICK_UP_WITHIN))


def queue_positions(operations: Iterable[Operation]) -> dict[uuid.UUID, int]:
    """For each of these that waits: how many others wait for the same node before it."""
    asked = {one.pk for one in operations if one.state == State.REQUESTED and not one.admitted_at}
    if not asked:
        return {}
    clusters = {one.cluster_id for one in operations}
    queue: Counter[tuple[str, str]] = Counter()
    found = {}
    waiting = Operation.objects.waiting().filter(cluster_id__in=clusters)
    for pk, cluster_id, node in waiting.values_list("pk", "cluster_id", "vm__node"):
        if pk in asked:
            found[pk] = queue[cluster_id, node]
        queue[cluster_id, node] += 1
    return found


def queue_position(operation: Operation) -> int:
    """The number of operations that wait for the same node before this one."""
    return queue_positions([operation]).get(operation.pk, 0)
