"""Whether a number is still that of the machine that the portal knows by it. Whatever touches or shows one asks here.

A list cannot tell: for some seconds it goes on with the name and the state of a machine that is gone, under its number.
"""

import logging
import re
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from clusters import proxmox
from clusters.models import Cluster
from vms.inventory.machine_table import LIST_LAG
from vms.models import VirtualMachine

logger = logging.getLogger(__name__)

ANOTHER = gettext_noop("Another machine has this number now. Ask your teacher.")

MAX_MACS = 32
MIB = 2**20

_UUID = re.compile(r"(?:^|,)uuid=([0-9A-Fa-f-]{36})(?:,|$)")


def confirm(pve: proxmox.Reader, machine: VirtualMachine) -> bool:
    """Look who has the machine's number, with one call; with none where nothing is known to compare with.

    False when it is another one. The row ends then, with who holds it. Raises `ProxmoxError` when nobody can tell.
    """
    if not (machine.hardware_id or machine.mac_addresses):
        return True
    config = pve.guest_config(machine.node, machine.kind, machine.vmid)
    if not is_another(machine, config):
        return True
    replace(machine, config, timezone.now())
    return False


def hardware_id(config: proxmox.GuestConfig) -> str:
    """The SMBIOS UUID in small letters; empty when there is none, as of containers."""
    found = _UUID.search(config.options.get("smbios1", ""))
    return found[1].lower() if found else ""


def is_another(machine: VirtualMachine, config: proxmox.GuestConfig) -> bool:
    """Whether what has the machine's number now is not that machine.

    Where one of both has no hardware ID, as containers, it is another when none of the MACs is left. What is not known
    tells nothing.
    """
    identity = hardware_id(config)
    if machine.hardware_id and identity:
        return identity != machine.hardware_id
    return bool(machine.mac_addresses and config.macs) and not set(config.macs) & set(machine.mac_addresses)


def replace(machine: VirtualMachine, config: proxmox.GuestConfig, now: datetime) -> VirtualMachine | None:
    """Another machine has its number: the row ends, with who holds it, and a new one inherits nothing.

    None when somebody was faster. What its configuration does not say, the next list adds.
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
            status_at=now - LIST_LAG,  # what the next lists say of it is looked at, although it may be what they said
            **_facts(config),
            **known_by(config),
            details_at=now,
        )


def known_by(config: proxmox.GuestConfig) -> dict[str, str | Collection[str]]:
    """What it is recognised by from now on. A hardware ID that is not told is kept."""
    identity = hardware_id(config)
    return {"mac_addresses": list(config.macs[:MAX_MACS])} | ({"hardware_id": identity} if identity else {})


def _facts(config: proxmox.GuestConfig) -> dict[str, object]:
    return {
        "name": config.name,
        "template": config.template,
        "lock": config.lock,
        "tags": ";".join(config.tags)[:500],
        "cpus": config.cores,
        "memory": config.memory * MIB,
    }
