"""The machines of classes as the worker's looks need them: facts in one query, no model instances."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from classes.models import MeasuredStart
from classes.timetable import bell
from vms.models import Assignment, ClusterSync, Operation, VirtualMachine

# An administrator gives a machine this tag on its cluster, and the portal never stops it by itself.
DO_NOT_STOP_TAG = "do-not-stop"


@dataclass(frozen=True, slots=True)
class Row:
    """A machine of a class that is there. `seen_at` is when its status was last observed, None if never.

    `input_at` is when somebody last used keys or pointer in a console, up to a minute early.
    """

    pk: int
    lab_class: int
    name: str
    node: bell.Node
    status: str
    lock: str
    seen_at: datetime | None
    booted_at: datetime | None
    is_tagged: bool
    has_operation: bool
    person: int | None
    vmid: int = 0
    kind: str = ""
    input_at: datetime | None = None


COLUMNS = (
    "pk", "class_machine__lab_class", "name", "vmid", "cluster_id", "node", "status", "lock", "silent_since",
    "status_at", "cluster__sync__synced_at", "booted_at", "tags", "kind", "console_input_at",
)  # fmt: skip


def rows(classes: Iterable[int], *, status: str = "", also: Iterable[int] = ()) -> list[Row]:
    """The machines of these classes; if a status is given, those with it and these others. One query."""
    there = _there().filter(class_machine__lab_class__in=list(classes))
    return _rows(there.filter(Q(status=status) | Q(pk__in=list(also))) if status else there)


def these(machines: Iterable[int]) -> list[Row]:
    """Those of these machines that are in a class and there. One query."""
    return _rows(_there().filter(pk__in=list(machines)))


def _there() -> QuerySet[VirtualMachine]:
    there: QuerySet[VirtualMachine] = VirtualMachine.objects.present().on_active_clusters().filter(
        class_machine__is_leaving=False, template=False, missing_since=None
    )  # fmt: skip
    return there


def _rows(found: QuerySet[VirtualMachine]) -> list[Row]:
    busy = Exists(Operation.objects.open().filter(vm=OuterRef("pk")))
    person = Subquery(Assignment.objects.live().filter(vm=OuterRef("pk")).order_by().values("user")[:1])
    return [_row(values) for values in found.order_by("name", "pk").values_list(*COLUMNS, busy, person)]


def _row(values: tuple[Any, ...]) -> Row:
    pk, lab_class, name, vmid, cluster, node, status, lock, silent_since, *rest = values
    status_at, synced_at, booted_at, tags, kind, input_at, busy, person = rest
    seen = [at for at in (status_at, synced_at) if at is not None]
    return Row(
        pk=pk,
        lab_class=lab_class,
        name=name or f"VM {vmid}",
        node=(cluster, node),
        status="unknown" if silent_since else status,
        lock=lock,
        seen_at=max(seen) if seen else None,
        booted_at=booted_at,
        is_tagged=DO_NOT_STOP_TAG in tags.split(";"),
        has_operation=busy,
        person=person,
        vmid=vmid,
        kind=kind,
        input_at=input_at,
    )


def limits() -> bell.Limits:
    """How many starts at once the administrators allow."""
    nodes: dict[str, int] = {}
    clusters: dict[str, int] = {}
    for name, of_node, of_cluster in ClusterSync.objects.values_list("cluster_id", "node_limit", "cluster_limit"):
        if of_node:
            nodes[str(name)] = of_node
        if of_cluster:
            clusters[str(name)] = of_cluster
    return bell.Limits(settings.OPERATIONS_PER_NODE, settings.OPERATIONS_PER_CLUSTER, nodes, clusters)


def measured_starts(classes: Iterable[int]) -> dict[int, list[float]]:
    """The seconds of the last starts of these classes' machines, by machine, the latest last."""
    found: dict[int, list[float]] = {}
    starts = MeasuredStart.objects.filter(vm__class_machine__lab_class__in=list(classes)).order_by("at", "pk")
    for machine, seconds in starts.values_list("vm", "seconds"):
        found.setdefault(machine, []).append(seconds)
    return found
