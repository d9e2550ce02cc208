"""How many are under way at once, and in which order the rest waits."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from vms.models import ClusterSync, Operation
from vms.operations import enqueue

State = Operation.State

# A class that presses all its buttons at once may wait for its turn for long. But nobody wants a machine started
# half an hour after he asked, when workers, or a cluster, were away meanwhile.
WAIT_FOR = timedelta(minutes=30)

# What was let through is handed to the engine at once. When the engine loses it, the sweep hands it over again.
TAKE_UP = timedelta(seconds=10)


def admit(cluster_id: str, *, without: uuid.UUID | None = None) -> int:
    """Let through, in order, what may be under way at once on this cluster and its nodes. Returns how many.

    The cluster's row is locked meanwhile, so that two workers do not both see the last free place.
    Each one is handed to the engine, save the one that the caller is about to work on himself.
    """
    with transaction.atomic():
        ClusterSync.objects.get_or_create(cluster_id=cluster_id)
        limits = ClusterSync.objects.select_for_update().get(cluster_id=cluster_id)
        now = timezone.now()
        _drop_stale(cluster_id, now)
        admitted = [one for one in _next_in_turn(limits) if _let_through(one, now)]
        for one in admitted:
            if one.pk != without:
                transaction.on_commit(partial(enqueue.operation, one), robust=True)
    return len(admitted)


def _drop_stale(cluster_id: str, now: datetime) -> None:
    stale = Operation.objects.waiting().filter(cluster_id=cluster_id, requested_at__lt=now - WAIT_FOR)
    outcome = gettext_noop("It waited too long for its turn, so it was dropped. Try again.")
    stale.order_by().update(state=State.CANCELLED, outcome=outcome, finished_at=now)


def _next_in_turn(limits: ClusterSync) -> list[Operation]:
    of_cluster = Operation.objects.filter(cluster_id=limits.cluster_id)
    busy = Counter(of_cluster.under_way().values_list("node", flat=True))
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


def _let_through(operation: Operation, now: datetime) -> bool:
    waiting = Operation.objects.waiting().filter(pk=operation.pk).order_by()
    return bool(waiting.update(admitted_at=now, node=operation.node, next_look_at=now + TAKE_UP))


def waiting_before(operations: Iterable[Operation]) -> dict[uuid.UUID, int]:
    """How many others wait for the same node, or for their cluster, before each of these that waits itself."""
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


def position(operation: Operation) -> int:
    """How many wait for the same node before this one."""
    return waiting_before([operation]).get(operation.pk, 0)
