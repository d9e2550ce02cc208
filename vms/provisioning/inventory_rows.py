"""The inventory's row of a new machine, before the next sync would make it: steps and people need it at once."""

from django.db import transaction
from django.utils import timezone

from accounts.compiled_queries import CompiledByKey
from clusters import proxmox
from clusters.models import Cluster
from vms.models import MadeMachine, VirtualMachine

MIB = 2**20


def create(made: MadeMachine, config: proxmox.GuestConfig) -> VirtualMachine:
    """The row of the machine that this configuration is of. One of a dead machine with its VMID ends."""
    now = timezone.now()
    with transaction.atomic(savepoint=False):
        # Against a sync, which writes these rows under the same lock.
        if not _LOCKED.first_raw(made.cluster_id):
            raise Cluster.DoesNotExist
        known = _known(made)
        if known and known.hardware_id in ("", config.smbios_uuid) and known.created_at >= made.created_at:
            _identify(known, made, config)
            return known
        if known:
            VirtualMachine.objects.filter(pk=known.pk).update(gone_at=now)
        return VirtualMachine.objects.create(
            cluster_id=made.cluster_id,
            vmid=made.vmid,
            name=made.name,
            node=made.node,
            status="stopped",
            status_at=now,
            pool=made.run.template.pool,
            cpus=made.cores,
            memory=made.memory_mib * MIB,
            hardware_id=config.smbios_uuid,
            mac_addresses=list(config.macs),
            details_due_at=now,
            details_at=now,
        )


_LOCKED = CompiledByKey(
    lambda cluster_id: Cluster.objects.select_for_update().filter(cluster_id=cluster_id).values_list("pk")
)


def _known(made: MadeMachine) -> VirtualMachine | None:
    """Asked for by its key first: as a rule there is none, and naming all columns is what takes time."""
    present = VirtualMachine.objects.present().filter(cluster_id=made.cluster_id, vmid=made.vmid).order_by()
    pk = present.values_list("pk", flat=True).first()
    return VirtualMachine.objects.filter(pk=pk).first() if pk else None


def _identify(known: VirtualMachine, made: MadeMachine, config: proxmox.GuestConfig) -> None:
    values = {"hardware_id": config.smbios_uuid, "mac_addresses": list(config.macs), "name": made.name}
    VirtualMachine.objects.filter(pk=known.pk).update(**values)
    for name, value in values.items():
        setattr(known, name, value)
