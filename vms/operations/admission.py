"""Admission: how many operations run at a time, and in which order the others wait."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_UUID, CompiledByKey, CompiledUpdate
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


_LOCKED = CompiledByKey(lambda pk: ClusterSync.objects.select_for_update().filter(pk=pk))
_STALE = CompiledUpdate(
    Operation, among=lambda now: Operation.objects.waiting().filter(requested_at__lt=now - MAX_WAIT)
)
_BUSY_NODES: CompiledByKey[Any] = CompiledByKey(
    lambda cluster_id: Operation.objects.in_slots().filter(cluster_id=cluster_id).order_by().values_list("node")
)
_WAITING: CompiledByKey[Any] = CompiledByKey(
    lambda cluster_id: Operation.objects.waiting().filter(cluster_id=cluster_id).values_list("pk", "vm__node")
)
_UPDATE = CompiledUpdate(Operation)


def _ahead(pk: uuid.UUID) -> Any:
    """How many wait for the same node and are admitted before this one. No row: none."""
    this = Operation.objects.filter(pk=pk).order_by()[:1]
    earlier = Q(requested_at__lt=this.values("requested_at"))
    earlier |= Q(requested_at=this.values("requested_at"), pk__lt=pk)
    others = Operation.objects.waiting().filter(earlier, cluster_id=this.values("cluster_id"))
    return others.filter(vm__node=this.values("vm__node")).order_by().values("state").values_list(Count("pk"))


_AHEAD: CompiledByKey[Any] = CompiledByKey(_ahead, key=SENTINEL_UUID)


def admit(cluster_id: str, *, without: uuid.UUID | None = None) -> int:
    """Admit waiting operations, in order, up to the limits of this cluster and its nodes. Returns how many.

    The cluster's row is locked, so that two workers do not both fill the last slot. Each admitted operation is
    enqueued, except `without`, which the caller carries out itself.
    """
    with transaction.atomic():
        limits = _locked(cluster_id)
        now = timezone.now()
        _cancel_stale(cluster_id, now)
        admitted = [pk for pk, node in _next_admissible(limits) if _admit_one(pk, node, now)]
        for pk in admitted:
            if pk != without:
                transaction.on_commit(partial(enqueue.operation, pk), robust=True)
    return len(admitted)


def _locked(cluster_id: str) -> ClusterSync:
    limits = _LOCKED.first(cluster_id)
    if limits is None:
        ClusterSync.objects.get_or_create(cluster_id=cluster_id)
        limits = ClusterSync.objects.select_for_update().get(cluster_id=cluster_id)
    return limits


def _cancel_stale(cluster_id: str, now: datetime) -> None:
    cancelled = {"state": State.CANCELLED, "finished_at": now, **ended(say("waited-too-long"))}
    _STALE.update({"cluster_id": cluster_id}, cancelled, now=now)


def _next_admissible(limits: ClusterSync) -> list[tuple[uuid.UUID, str]]:
    """The primary key and the machine's node of each."""
    busy = Counter(node for (node,) in _BUSY_NODES.all(limits.pk))
    room = (limits.cluster_limit or settings.OPERATIONS_PER_CLUSTER) - busy.total()
    found: list[tuple[uuid.UUID, str]] = []
    if room <= 0:
        return found
    for pk, node in _WAITING.all(limits.pk):
        if busy[node or ""] < (limits.node_limit or settings.OPERATIONS_PER_NODE):
            busy[node or ""] += 1
            found.append((pk, node or ""))
        if len(found) == room:
            break
    return found


def _admit_one(pk: uuid.UUID, node: str, now: datetime) -> bool:
    waiting = {"pk": pk, "state": State.REQUESTED, "admitted_at": None}
    admitted = {"admitted_at": now, "node": node, "next_look_at": now + PICK_UP_WITHIN}
    return bool(_UPDATE.update(waiting, admitted))


def queue_positions(operations: Iterable[Operation]) -> dict[uuid.UUID, int]:
    """For each of these that waits: how many others wait for the same node before it."""
    asked = {one.pk for one in operations if one.state == State.REQUESTED and not one.admitted_at}
    if not asked:
        return {}
    if len(asked) == 1:  # a student's; at the bell the whole queue is hundreds
        (pk,) = asked
        return {pk: sum(count for (count,) in _AHEAD.all(pk))}
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
