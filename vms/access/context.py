"""The facts that the rules look at: person, machine, cluster and snapshot of one requested action."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledByKey
from accounts.models import User
from clusters.models import ClusterHealth
from vms.models import ClusterGrant, Operation, VirtualMachine


@dataclass(frozen=True)
class ActionContext:
    """A machine, its cluster's health (None: never asked), its open operation, and the person who asks (None: nobody).

    The person's rights are looked up beforehand: whether they may operate the machine, whether they manage it (as a
    manager of its group, or as an administrator), whether a grant lets them use its cluster, and whether the grants of
    the machine's group cover its pool. `snapshot` is the name of the one that the action is about, if any.
    """

    machine: VirtualMachine
    health: ClusterHealth | None
    open_operation: Operation | None
    person: User | None = None
    may_operate: bool = True
    manages: bool = True
    is_granted: bool = True
    pool_is_granted: bool = True
    snapshot: str = ""


_HEALTH = CompiledByKey(lambda cluster_id: ClusterHealth.objects.filter(cluster__cluster_id=cluster_id))
_OPEN_OPERATION = CompiledByKey(lambda pk: Operation.objects.open().filter(vm=pk), key=SENTINEL_NUMBER)


def context_for(
    machine: VirtualMachine, *, person: User | None = None, snapshot: str = "", sending: Operation | None = None
) -> ActionContext:
    """Look everything up for one machine. Without a person, all rights count as given.

    `sending` is the machine's open operation where the caller has it; the machine then comes with cluster and health.
    """
    open_operation = sending or _OPEN_OPERATION.first(machine.pk)
    health = getattr(machine.cluster, "health", None) if sending else _HEALTH.first(machine.cluster_id)
    if person is None:
        return ActionContext(machine, health, open_operation, snapshot=snapshot)
    this = VirtualMachine.objects.filter(pk=machine.pk)
    may_operate, manages = VirtualMachine.objects.rights(machine.pk, person)
    return ActionContext(
        machine,
        health,
        open_operation,
        person,
        may_operate=may_operate,
        manages=manages,
        is_granted=_is_granted(machine, person),
        pool_is_granted=may_operate or not _outside_granted_pools(this),
        snapshot=snapshot,
    )


def contexts_for(machines: Iterable[VirtualMachine], *, person: User, snapshot: str = "") -> dict[int, ActionContext]:
    """Contexts of many machines, by primary key, in six queries at most. They come with cluster and health."""
    machines = list(machines)
    keys = {machine.pk for machine in machines}
    wanted = VirtualMachine.objects.filter(pk__in=keys)
    operable, managed, granted = _keys(wanted.operable_by(person)), _keys(wanted.managed_by(person)), set()
    if restricted := [one.pk for one in machines if one.cluster.is_restricted]:
        granted = _keys(wanted.filter(ClusterGrant.allows(person.pk), pk__in=restricted))
    others = keys - operable  # operable machines are in granted pools
    outside = _outside_granted_pools(wanted.filter(pk__in=others)) if others else set()
    operates_all = person.is_staff and person.has_perm("vms.operate_virtualmachine")
    open_operations = {one.vm_id: one for one in Operation.objects.open().filter(vm__in=keys)}
    return {
        one.pk: ActionContext(
            one,
            getattr(one.cluster, "health", None),
            open_operations.get(one.pk),
            person,
            may_operate=one.pk in operable,
            manages=one.pk in managed,
            is_granted=operates_all or not one.cluster.is_restricted or one.pk in granted,
            pool_is_granted=one.pk not in outside,
            snapshot=snapshot,
        )
        for one in machines
    }


def _is_granted(machine: VirtualMachine, person: User) -> bool:
    if not machine.cluster.is_restricted or (person.is_staff and person.has_perm("vms.operate_virtualmachine")):
        return True
    return bool(VirtualMachine.objects.filter(ClusterGrant.allows(person.pk), pk=machine.pk).exists())


def _outside_granted_pools(machines: QuerySet[VirtualMachine]) -> set[int]:
    return _keys(machines.filter(ClusterGrant.outside_granted_pools()))


def _keys(machines: QuerySet[VirtualMachine]) -> set[int]:
    return set(machines.values_list("pk", flat=True))
