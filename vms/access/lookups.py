"""Which machines and groups a person may open. Everything else is answered like what does not exist."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from accounts.models import User
from vms.models import MachineSet, VirtualMachine


def sees_all(user: User) -> bool:
    return user.is_staff and user.has_perm("vms.view_virtualmachine")


def visible_to(user: User) -> QuerySet[VirtualMachine]:
    """What the list shows: no machine of an inactive cluster, and templates to staff alone."""
    machines: QuerySet[VirtualMachine] = VirtualMachine.objects.visible_to(user).on_active_clusters()
    return machines if sees_all(user) else machines.filter(template=False)


def visible_or_404(user: User, pk: int) -> VirtualMachine:
    """With cluster, health and sync."""
    return get_object_or_404(visible_to(user).select_related("cluster__health", "cluster__sync"), pk=pk)


def operable_among(user: User, machines: Iterable[VirtualMachine]) -> set[int]:
    """Which of these visible machines the person may operate. People who are not staff see no others."""
    shown = {machine.pk for machine in machines}
    if not user.is_staff or user.has_perm("vms.operate_virtualmachine"):
        return shown
    return set(VirtualMachine.objects.operable_by(user).filter(pk__in=shown).values_list("pk", flat=True))


def operable_or_404(user: User, pk: int) -> VirtualMachine:
    """A machine that is present and that the person may operate."""
    machines = VirtualMachine.objects.operable_by(user).on_active_clusters().present()
    return get_object_or_404(machines.select_related("cluster__health", "cluster__sync"), pk=pk)


def groups_for(user: User) -> QuerySet[MachineSet]:
    """The groups whose page he may open: those that he looks after, and to staff who see machines every set."""
    groups: QuerySet[MachineSet] = MachineSet.objects.all()
    return groups if sees_all(user) else groups.filter(stewards=user.pk)


def unfit_managers() -> QuerySet[Any]:
    """Who looks after a set and would not be chosen for it today, with the set: rows of the table between both."""
    rows: QuerySet[Any] = MachineSet.stewards.through.objects.filter(user__is_active=True)
    unfit = rows.exclude(user__in=User.objects.may_teach().values("pk"))
    return unfit.select_related("user", "machineset").order_by("user__username", "machineset__name")


def machines_in(machine_set: MachineSet, user: User) -> QuerySet[VirtualMachine]:
    """What the pages of a set show to him of it, with cluster, health and sync."""
    machines = visible_to(user).filter(sets=machine_set, template=False, gone_at=None)
    shown: QuerySet[VirtualMachine] = machines.select_related("cluster__health", "cluster__sync")
    return shown.order_by("name", "cluster", "vmid")


def operates_group(user: User, machine_set: MachineSet | None) -> bool:
    """Whether the buttons of a set that he sees are for him: not for staff who only look."""
    if not sees_all(user) or user.has_perm("vms.operate_virtualmachine"):
        return True
    return machine_set is not None and machine_set.stewards.filter(pk=user.pk).exists()
