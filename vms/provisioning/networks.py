"""Networks by lease: a machine group has one, or each of its machines has one, until the last machine is removed."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from vms.models import LeasableNetwork, MachineSet, MachineTemplate, MadeMachine, NetworkLease


def free_for(template: MachineTemplate) -> list[LeasableNetwork]:
    """Networks of the template that nobody leases, in the order in which they are leased."""
    return list(LeasableNetwork.objects.free().filter(machine_templates=template, cluster_id=template.cluster_id))


def of_group(template: MachineTemplate, group: int) -> LeasableNetwork | None:
    """The network of the template that the whole group leases already."""
    leases = NetworkLease.objects.live().filter(machine_set=group, is_shared=True, network__machine_templates=template)
    held = leases.select_related("network").order_by("pk").first()
    return held.network if held else None


def lease(network: int, group: MachineSet, *, user: int | None, is_shared: bool) -> NetworkLease:
    """Lease a network (by primary key), or use the group's own lease. The constraint lets nobody else have it."""
    if is_shared:
        shared = NetworkLease.objects.live().filter(network=network, machine_set=group, is_shared=True)
        # Locked, so that nobody returns it before the machine that uses it now is reserved.
        if held := shared.select_for_update(of=("self",)).first():
            return held
    return NetworkLease.objects.create(network_id=network, machine_set=group, user_id=user, is_shared=is_shared)


def return_unused(leases: Iterable[int] | None = None) -> int:
    """Return leases (by primary key, or any) whose machines were all removed. Returns how many.

    They are looked at again when they are locked: somebody may have reserved another machine meanwhile.
    """
    users = MadeMachine.objects.unremoved().filter(lease=OuterRef("pk"))
    unused = NetworkLease.objects.live().filter(~Exists(users))
    if leases is not None:
        unused = unused.filter(pk__in=list(leases))
    with transaction.atomic():
        locked = list(unused.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        returned: int = unused.filter(pk__in=locked).order_by().update(returned_at=timezone.now())
    return returned
