"""The ledger: what a cluster, a machine group, a person or a template has, counted by rows of the database.

The inventory tells what there is. A machine that is reserved or being made counts by its own row until the inventory
shows it, so that a plan reckons with what other plans have promised.
"""

import math
from collections import defaultdict
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from vms.models import Assignment, MachineSet, MachineTemplate, MadeMachine, Operation, Snapshot, VirtualMachine
from vms.provisioning.amounts import Amounts

MIB, GIB = 2**20, 2**30

# Statuses of machines that take no memory. What a cluster does not know counts as off, too: the row is older.
OFF = ("stopped", "unknown")

# Of those who use something, the pages list so many.
MOST_LISTED = 50


def of_cluster(cluster_id: str) -> Amounts:
    return _used(Q(cluster_id=cluster_id), Q(cluster_id=cluster_id))


def of_group(group: int) -> Amounts:
    """`group` is the primary key of a machine group."""
    return _used(_in_group(group), Q(run__machine_set=group))


def of_person(person: int) -> Amounts:
    assigned = Assignment.objects.live().filter(user=person).order_by().values("vm")
    return _used(Q(pk__in=assigned), Q(for_user=person))


def out_of(template: MachineTemplate) -> Amounts:
    """All machines that were made out of a template and not removed."""
    made = MadeMachine.objects.unremoved().filter(run__template=template)
    return _reserved(made)


def by_group(cluster_id: str) -> list[tuple[str, Amounts]]:
    """What each machine group has on a cluster: its title with the amounts, the largest number of machines first."""
    machines = MachineSet.machines.through.objects.filter(
        machineset=OuterRef("pk"), virtualmachine__cluster_id=cluster_id, virtualmachine__gone_at=None
    )
    promised = not_in_inventory().filter(run__machine_set=OuterRef("pk"), cluster_id=cluster_id)
    groups = MachineSet.objects.filter(Exists(machines) | Exists(promised))
    here = Q(cluster_id=cluster_id)
    found = [
        (group.title, _used(_in_group(group.pk) & here, Q(run__machine_set=group.pk) & here))
        for group in groups.order_by("pk")[:MOST_LISTED]
    ]
    return sorted(found, key=lambda one: -one[1].machines)


def by_person(group: int) -> list[tuple[str, Amounts]]:
    """What each person has of a machine group, the largest number of machines first."""
    own = MachineSet.machines.through.objects.filter(machineset=group).values("virtualmachine")
    held = Assignment.objects.live().filter(vm__in=own).order_by("user__username").select_related("user", "vm")
    found: dict[str, Amounts] = defaultdict(Amounts)
    for row in held:
        vm, runs = row.vm, int(row.vm.status not in OFF)
        sizes = math.ceil(vm.cpus), math.ceil(vm.memory / MIB), math.ceil(vm.disk / GIB)
        found[row.user.username] += Amounts(1, runs, *sizes)
    return sorted(found.items(), key=lambda one: -one[1].machines)[:MOST_LISTED]


def _in_group(group: int) -> Q:
    """A condition on machines."""
    own = MachineSet.machines.through.objects.filter(machineset=group).values("virtualmachine")
    # Of no group any more, but kept for this one after a re-image.
    earlier = MadeMachine.objects.unremoved().filter(run__machine_set=group, state=MadeMachine.State.EARLIER)
    kept = earlier.exclude(vm=None).order_by().values("vm")
    return Q(pk__in=own) | Q(pk__in=kept)


def reserved_on_nodes(cluster_id: str) -> dict[str, Amounts]:
    """By node: what is promised there and not in the inventory yet."""
    found: dict[str, Amounts] = defaultdict(Amounts)
    rows = not_in_inventory().filter(cluster_id=cluster_id).order_by().values("node").annotate(**_SUMS)
    for row in rows:
        found[row["node"]] = _amounts({**row})
    return found


def not_in_inventory() -> QuerySet[MadeMachine]:
    """Reserved machines that no present row of the inventory stands for."""
    found: QuerySet[MadeMachine] = MadeMachine.objects.unremoved().filter(~Exists(_present()))
    return found


def running(machines: QuerySet[VirtualMachine]) -> QuerySet[VirtualMachine]:
    """Those of present machines that run or are about to be started."""
    to_memory = Snapshot.objects.filter(vm=OuterRef("vm"), name=OuterRef("snapshot"), with_memory=True)
    reverting = Q(action=Operation.Action.ROLLBACK) & Q(Exists(to_memory))
    starts = Q(action=Operation.Action.START) | reverting
    starting = Operation.objects.open().filter(starts, vm=OuterRef("pk"))
    being_made = MadeMachine.objects.unremoved().filter(
        cluster_id=OuterRef("cluster_id"), vmid=OuterRef("vmid"), sent_what=MadeMachine.Call.START
    )
    return machines.filter(~Q(status__in=OFF) | Exists(starting) | Exists(being_made))


def _present() -> QuerySet[VirtualMachine]:
    """For a row of made machines: the machine in the inventory that has its VMID."""
    found: QuerySet[VirtualMachine] = VirtualMachine.objects.present()
    return found.filter(cluster_id=OuterRef("cluster_id"), vmid=OuterRef("vmid"))


_SUMS = {
    "n": Count("pk"),
    "all_cores": Sum("cores"),
    "all_memory": Sum("memory_mib"),
    "all_disk": Sum("disk_gib"),
}


def _used(machines: Q, made: Q) -> Amounts:
    present = VirtualMachine.objects.present().filter(machines, template=False).order_by()
    found = present.aggregate(n=Count("pk"), cores=Sum("cpus"), memory=Sum("memory"), disk=Sum("disk"))
    return Amounts(
        machines=found["n"],
        running=running(present).count(),
        cores=math.ceil(found["cores"] or 0),
        memory_mib=math.ceil((found["memory"] or 0) / MIB),
        disk_gib=math.ceil((found["disk"] or 0) / GIB),
    ) + _reserved(not_in_inventory().filter(made))


def _reserved(made: QuerySet[MadeMachine]) -> Amounts:
    # Whatever is being started now is not in the inventory as running yet.
    starting = Q(sent_what=MadeMachine.Call.START) | Q(step__in=_STARTED, state=MadeMachine.State.WORKING)
    found = made.order_by().aggregate(**_SUMS, n_running=Count("pk", filter=starting))
    return _amounts(found)


_STARTED = (MadeMachine.Step.STARTED, MadeMachine.Step.ADDRESS_SEEN)


def _amounts(row: dict[str, Any]) -> Amounts:
    return Amounts(
        row["n"], row.get("n_running", 0), row["all_cores"] or 0, row["all_memory"] or 0, row["all_disk"] or 0
    )
