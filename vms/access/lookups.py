"""Lookups of the machines and machine groups that a person sees and may operate. Pages answer 404 for all others."""

from collections.abc import Iterable
from typing import Any

from django.db.models import BigIntegerField, Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledRows
from accounts.models import User
from vms.models import Assignment, MachineSet, Operation, VirtualMachine


def sees_all(user: User) -> bool:
    return user.is_staff and user.has_perm("vms.view_virtualmachine")


def visible_to(user: User) -> QuerySet[VirtualMachine]:
    """The machines in the user's list: those on active clusters; templates for staff only."""
    machines: QuerySet[VirtualMachine] = VirtualMachine.objects.visible_to(user).on_active_clusters()
    return machines if sees_all(user) else machines.filter(template=False)


def visible_or_404(user: User, pk: int) -> VirtualMachine:
    """A visible machine, with cluster, health and sync."""
    return get_object_or_404(visible_to(user).select_related("cluster__health", "cluster__sync"), pk=pk)


def operable_among(user: User, machines: Iterable[VirtualMachine]) -> set[int]:
    """The primary keys of those visible machines that the user may operate: for everybody but staff, all of them."""
    shown = {machine.pk for machine in machines}
    if not user.is_staff or user.has_perm("vms.operate_virtualmachine"):
        return shown
    return set(VirtualMachine.objects.operable_by(user).filter(pk__in=shown).values_list("pk", flat=True))


def operable_or_404(user: User, pk: int) -> VirtualMachine:
    """A machine that is present and that the user may operate, with cluster, health and sync."""
    if user.is_staff or not user.is_active or pk > BigIntegerField.MAX_BIGINT:
        return get_object_or_404(_operable(user), pk=pk)
    for machine in _OPERABLE_ONE.rows(user.pk, timezone.now(), pk):
        return machine
    raise Http404


def _operable(user: User) -> QuerySet[VirtualMachine]:
    machines = VirtualMachine.objects.operable_by(user).on_active_clusters().present()
    return machines.select_related("cluster__health", "cluster__sync")


_OPERABLE_ONE = CompiledRows(lambda person, _, pk: _operable(User(pk=person)).filter(pk=pk), key=SENTINEL_NUMBER)


def groups_for(user: User) -> QuerySet[MachineSet]:
    """The machine groups whose page the user may open: as a manager, or all for staff who see all machines."""
    groups: QuerySet[MachineSet] = MachineSet.objects.all()
    return groups if sees_all(user) else groups.filter(stewards=user.pk)


def operations_for(user: User) -> QuerySet[Operation]:
    """Of visible machines. Assignees see those since their assignment and their own; staff and managers see all."""
    operations: QuerySet[Operation] = Operation.objects.filter(vm__in=visible_to(user).order_by().values("pk"))
    if sees_all(user):
        return operations
    managed = VirtualMachine.objects.managed_by(user).order_by().values("pk")
    mine = Assignment.objects.live().filter(user=user.pk, vm=OuterRef("vm"), assigned_at__lte=OuterRef("requested_at"))
    return operations.filter(Q(requested_by=user.pk) | Q(vm__in=managed) | Exists(mine))


def unfit_managers() -> QuerySet[Any]:
    """Managers of groups who could not be chosen today (`may_teach`): rows of the table between users and groups."""
    rows: QuerySet[Any] = MachineSet.stewards.through.objects.filter(user__is_active=True)
    found = rows.exclude(user__in=User.objects.may_teach().values("pk"))
    return found.select_related("user", "machineset").order_by("user__username", "machineset__name")


def machines_in(group: MachineSet, user: User) -> QuerySet[VirtualMachine]:
    """The machines that the pages of a group show to the user, with cluster, health and sync."""
    machines = visible_to(user).filter(sets=group, template=False, gone_at=None)
    shown: QuerySet[VirtualMachine] = machines.select_related("cluster__health", "cluster__sync")
    return shown.order_by("name", "cluster", "vmid")


def operates_group(user: User, group: MachineSet | None) -> bool:
    """Whether the user may use the buttons of a group that they see: not staff who may only look."""
    if not sees_all(user) or user.has_perm("vms.operate_virtualmachine"):
        return True
    return group is not None and group.stewards.filter(pk=user.pk).exists()
