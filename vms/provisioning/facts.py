"""The facts that a plan is made of: what the cluster says now, and what the database has promised to others."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from clusters import gateway, proxmox
from clusters.models import Cluster
from vms.models import MachineTemplate, MadeMachine, TemplateCopy, VirtualMachine
from vms.provisioning import ledger, template_check
from vms.provisioning.planning import Copy, Facts, NodeFacts, StorageFacts, Template

MIB, GIB = 2**20, 2**30


class NotReadable(Exception):
    """The cluster cannot be asked now; the text says why, for people."""


@dataclass(frozen=True)
class Reading:
    """What a cluster said at one moment. `vmids` are those of its guests, and of disks without a guest."""

    nodes: tuple[NodeFacts, ...]
    vmids: frozenset[int]
    names: frozenset[str]


def read(template: MachineTemplate) -> Reading:
    """Ask the cluster: not in a transaction, because it takes seconds. Raises `NotReadable`."""
    cluster: Cluster = template.cluster
    copies = list(template.copies.all())
    try:
        with gateway.make(cluster.config) as pve:
            return _read(pve, copies, template)
    except proxmox.ProxmoxError as error:
        raise NotReadable(str(error)) from error


def _read(pve: proxmox.Maker, copies: list[TemplateCopy], template: MachineTemplate) -> Reading:
    found = pve.resources()
    everywhere = any(copy.is_shared for copy in copies)
    wanted = {copy.node for copy in copies}
    nodes = []
    for node in sorted(found.nodes, key=attrgetter("name")):  # a cluster lists them in any order
        if not everywhere and node.name not in wanted:
            continue
        running = sum(guest.cpus for guest in found.guests if guest.node == node.name and guest.status == "running")
        facts = NodeFacts(node.name, node.online, cores_running=running)
        nodes.append(_with_room(pve, facts) if node.online else facts)
    left_behind = _left_behind(pve, nodes, {copy.storage for copy in copies} | {template.storage})
    guests = {guest.vmid for guest in found.guests} | {*found.rejected_vmids}
    names = frozenset(guest.name.lower() for guest in found.guests)
    return Reading(tuple(nodes), frozenset(guests | left_behind), names)


def _with_room(pve: proxmox.Maker, node: NodeFacts) -> NodeFacts:
    try:
        storages = {one.name: _storage(one) for one in pve.storages(node.name)}
    except proxmox.NodeDown:  # the list of nodes is some seconds old
        return replace(node, is_online=False)
    try:
        status = pve.node_status(node.name)
    except proxmox.PermissionMissing:  # without Sys.Audit its room is not known, and machines are only counted
        return replace(node, storages=storages)
    return replace(
        node,
        memory=status.memory // MIB,
        memory_free=(status.memory - status.memory_used) // MIB,
        cores=status.cpus,
        storages=storages,
    )


def _storage(one: proxmox.StorageStatus) -> StorageFacts:
    return StorageFacts(one.name, one.is_shared, one.takes_disks, one.total / GIB, one.available / GIB)


def _left_behind(pve: proxmox.Maker, nodes: Iterable[NodeFacts], storages: set[str]) -> set[int]:
    """VMIDs of the disks on these storages, also of those whose guest is gone.

    A storage that is busy, or whose content the portal may not list, tells nothing: a clone with such a VMID then
    fails at once or takes the next disk number, and nothing is overwritten.
    """
    found: set[int] = set()
    asked: set[str] = set()
    for node in nodes:
        for name, storage in node.storages.items():
            if name not in storages or not storage.is_usable or name in asked:
                continue
            asked |= {name} if storage.is_shared else set()
            try:
                found |= pve.disk_owners(node.name, name)
            except (proxmox.PermissionMissing, proxmox.Refused, proxmox.BadParameter):
                continue
    return found


def wanted(template: MachineTemplate) -> Template:
    """What `planning` needs of a template. A copy that the check refused is none."""
    refused = {(one.node, one.vmid) for one in template_check.stored(template) if not one.is_ready}
    copies = tuple(
        Copy(copy.pk, copy.node, copy.vmid, copy.storage, copy.is_shared)
        for copy in template.copies.all()
        if (copy.node, copy.vmid) not in refused
    )
    return Template(
        copies=copies,
        is_full=template.clone_kind == MachineTemplate.CloneKind.FULL,
        storage=template.storage,
        vmids=(template.vmid_from, template.vmid_to),
        pattern=template.name_pattern,
        cores=template.cores,
        memory=template.memory_mib,
        disk=template.disk_gib,
    )


def with_promises(reading: Reading, template: MachineTemplate) -> Facts:
    """The reading, and what the database knows that it cannot: reserved VMIDs, names and room."""
    cluster_id = template.cluster_id
    promised = ledger.reserved_on_nodes(cluster_id)
    made = list(MadeMachine.objects.unremoved().filter(cluster_id=cluster_id).order_by().values_list("vmid", "name"))
    known = VirtualMachine.objects.present().filter(cluster_id=cluster_id).order_by()
    copies = TemplateCopy.objects.filter(template__cluster_id=cluster_id).order_by()
    taken = {vmid for vmid, _name in made} | {*known.values_list("vmid", flat=True)}
    nodes = tuple(
        replace(
            node,
            reserved_memory=promised[node.name].memory_mib if node.name in promised else 0,
            reserved_cores=promised[node.name].cores if node.name in promised else 0,
        )
        for node in reading.nodes
    )
    return Facts(
        nodes,
        reading.vmids | taken | {*copies.values_list("vmid", flat=True)},
        reading.names | {name.lower() for _vmid, name in made},
    )
