"""Confirms that a VMID still belongs to the machine that the portal knows, before it is operated or shown.

A list cannot tell: for some seconds it keeps the name and state of a deleted machine under its VMID.
"""

import logging
import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from clusters import proxmox
from clusters.models import Cluster
from vms.inventory.machine_table import LIST_LAG
from vms.models import VirtualMachine

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_MACS = 32
MIB = 2**20

_UUID = re.compile(r"(?:^|,)uuid=([0-9A-Fa-f-]{36})(?:,|$)")


class AnotherMachine(Exception):
    """The VMID belongs to another machine now."""


def confirm(pve: proxmox.Reader, machine: VirtualMachine) -> bool:
    """Check by one call that the VMID still belongs to this machine; by none when there is nothing to compare with.

    False when it is another machine. The row then ends, with its assignment. Raises `ProxmoxError` when the cluster
    cannot tell.
    """
    if not is_asked_for(machine):
        return True
    config = pve.guest_config(machine.node, machine.kind, machine.vmid)
    if not is_another(machine, config):
        return True
    replace(machine, config, timezone.now())
    return False


def is_asked_for(machine: VirtualMachine) -> bool:
    """Whether there is anything to compare with."""
    return bool(machine.hardware_id or machine.mac_addresses)


def follow_move(pve: proxmox.Reader, machine: VirtualMachine) -> bool:
    """Look where a machine is that its node does not know. False when it is listed nowhere else."""
    listed = pve.resources().guests
    node = next((one.node for one in listed if (one.vmid, one.kind) == (machine.vmid, machine.kind)), machine.node)
    if node == machine.node:
        return False
    VirtualMachine.objects.present().filter(pk=machine.pk).update(node=node)
    machine.node = node
    return True


def hardware_id(config: proxmox.GuestConfig) -> str:
    """The SMBIOS UUID in lower case; empty when there is none, as for containers."""
    found = _UUID.search(config.options.get("smbios1", ""))
    return found[1].lower() if found else ""


def display(config: proxmox.GuestConfig) -> str:
    return config.options.get("vga", "")[:60]


def is_another(machine: VirtualMachine, config: proxmox.GuestConfig) -> bool:
    """Whether the VMID now belongs to another machine.

    Without a hardware ID, as for containers, it is another machine when they share no MAC address. What is unknown is
    not compared.
    """
    identity = hardware_id(config)
    if machine.hardware_id and identity:
        return identity != machine.hardware_id
    return bool(machine.mac_addresses and config.macs) and not set(config.macs) & set(machine.mac_addresses)


def replace(machine: VirtualMachine, config: proxmox.GuestConfig, now: datetime) -> VirtualMachine | None:
    """End the row of a machine whose VMID another machine has, and create one for that machine, which inherits nothing.

    None when another process was faster. The next list adds what the configuration does not say.
    """
    with transaction.atomic():
        if not Cluster.objects.select_for_update().filter(cluster_id=machine.cluster_id).exists():
            return None
        if not VirtualMachine.objects.present().filter(pk=machine.pk).update(gone_at=now):
            return None
        logger.warning("%s is another machine now.", machine)
        return VirtualMachine.objects.create(
            cluster_id=machine.cluster_id,
            vmid=machine.vmid,
            kind=machine.kind,
            node=machine.node,
            status="unknown",
            status_at=now - LIST_LAG,  # so that the next lists are compared, even when they have not changed
            **_facts(config),
            **identifiers(config),
            details_at=now,
        )


def identifiers(config: proxmox.GuestConfig) -> dict[str, str | Collection[str]]:
    """The values that identify the machine from now on. A hardware ID that is missing here is kept."""
    identity = hardware_id(config)
    return {"mac_addresses": list(config.macs[:MAX_MACS])} | ({"hardware_id": identity} if identity else {})


def ask_where_it_is(pve: proxmox.Reader, machine: VirtualMachine, ask: Callable[[], T]) -> T:
    """Ask the machine's node, and once more its new node when it has moved."""
    try:
        return ask()
    except proxmox.GuestGone:
        if not follow_move(pve, machine):
            raise
        return ask()


def _facts(config: proxmox.GuestConfig) -> dict[str, object]:
    return {
        "name": config.name,
        "template": config.template,
        "lock": config.lock,
        "tags": ";".join(config.tags)[:500],
        "vga": display(config),
        "cpus": config.cores,
        "memory": config.memory * MIB,
    }
