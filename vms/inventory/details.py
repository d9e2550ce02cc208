"""What is asked for one machine at a time, a few in a cycle: its hardware ID, MACs, addresses and snapshots."""

import ipaddress
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms.inventory import identity
from vms.inventory.snapshots import write_snapshots
from vms.models import VirtualMachine

logger = logging.getLogger(__name__)

# At most so many machines at a time.
FEW = 5

# A machine that nothing happens to is asked again after this long.
SELDOM = timedelta(hours=6)

# After a failure, or while a running machine has no address yet: then, and then, and from then on.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 1800))

# Longer than asking one machine takes: who died over it is not waited for.
LEASE = timedelta(minutes=2)

MAX_ADDRESSES = 16

# What one machine, its node or the account's rights can be the reason of.
OF_THE_MACHINE = (
    proxmox.Refused, proxmox.NodeDown, proxmox.NotFound, proxmox.PermissionMissing, proxmox.BadParameter,
    proxmox.ProtocolError,
)  # fmt: skip


@dataclass(frozen=True)
class Details:
    """`addresses` is None when they are not known. `is_settled` is False while one is expected, and none told."""

    config: proxmox.GuestConfig
    addresses: list[str] | None
    snapshots: proxmox.Snapshots
    is_settled: bool


def look_closer(config: ClusterConfig) -> int:
    """Ask for the details of a few machines: those in doubt, then those that wait longest. Returns how many were asked.

    A failure of one machine makes only that one wait. When the cluster itself does not answer, the others are left
    for the next time.
    """
    asked = 0
    try:
        with gateway.read(config) as pve, gateway.connect(config) as agents:
            for machine in _due().filter(cluster_id=config.cluster_id)[:FEW]:
                asked += _look(pve, agents, machine)
    except proxmox.ProxmoxError as error:
        logger.info("%s: %s", config.cluster_id, error.plain)
    return asked


def clusters_with_details_due() -> set[str]:
    """The IDs of those that answered last time."""
    due = _due().filter(cluster__health__ok=True).order_by().values("cluster_id").distinct()
    return {str(row["cluster_id"]) for row in due}


def _due() -> QuerySet[VirtualMachine]:
    ripe = Q(details_due_at=None) | Q(details_due_at__lte=timezone.now())
    there = VirtualMachine.objects.present().filter(ripe, missing_since=None, silent_since=None)
    in_doubt_first = Case(When(doubted_since=None, then=Value(1)), default=Value(0))
    return there.order_by(in_doubt_first, F("details_due_at").asc(nulls_first=True), "pk")


def _look(pve: proxmox.Reader, agents: proxmox.Reader, machine: VirtualMachine) -> bool:
    """False when somebody else asks for it."""
    now = timezone.now()
    lease = now + LEASE
    if not _postpone(machine, to=lease):
        return False
    machine.details_due_at = lease
    try:
        found = _ask(pve, agents, machine)
    except OF_THE_MACHINE as error:
        logger.info("%s: %s", machine, error.plain)
        _write_failure(machine, now)
        return True
    if identity.is_another(machine, found.config):
        machine = identity.replace(machine, found.config, now) or machine
    _write(machine, found, now)
    return True


def _ask(pve: proxmox.Reader, agents: proxmox.Reader, machine: VirtualMachine) -> Details:
    """Agents are asked with the main credential: until Proxmox VE 8 the right to do so is also one to run commands in
    machines, which a token for reading must not have.
    """
    place = (machine.node, machine.kind, machine.vmid)
    config = pve.guest_config(*place)
    snapshots = pve.snapshots(*place)
    may_tell = machine.status == "running" and (machine.kind == "lxc" or config.agent)
    addresses, is_settled = _addresses(agents if machine.kind == "qemu" else pve, machine) if may_tell else ([], True)
    return Details(config, addresses, snapshots, is_settled)


def _addresses(pve: proxmox.Reader, machine: VirtualMachine) -> tuple[list[str] | None, bool]:
    """Those of a running machine, and whether that is all to be had."""
    try:
        found = _usable(pve.interfaces(machine.node, machine.kind, machine.vmid))
    except (proxmox.PermissionMissing, proxmox.LoginRejected):
        return None, True
    except (proxmox.Refused, proxmox.NodeDown, proxmox.ProtocolError) as error:
        logger.info("%s: %s", machine, error.plain)
        return None, False
    return found, bool(found)


def _usable(interfaces: tuple[proxmox.Interface, ...]) -> list[str]:
    """Where somebody else may reach the guest, by its own account."""
    given = [ipaddress.ip_address(text) for interface in interfaces for text in interface.addresses]
    useless = ("is_loopback", "is_link_local", "is_multicast", "is_unspecified")
    usable = [str(ip) for ip in given if not any(getattr(ip, name) for name in useless)]
    return list(dict.fromkeys(usable))[:MAX_ADDRESSES]


def _write(machine: VirtualMachine, found: Details, now: datetime) -> None:
    row = VirtualMachine.objects.present().filter(pk=machine.pk)
    failures = 0 if found.is_settled else machine.details_failures + 1
    values: dict[str, Any] = {"details_at": now, "details_failures": failures, **identity.known_by(found.config)}
    if machine.doubted_since:  # a list that is late may have called it otherwise
        values |= {"doubted_since": None, "name": found.config.name or machine.listed_name}
    with transaction.atomic():
        if not row.update(**values):
            return
        if found.addresses is not None:
            # Whoever has been switched off since is at no address.
            (row.exclude(status="stopped") if found.addresses else row).update(addresses=found.addresses)
        write_snapshots(machine.pk, found.snapshots)
    _postpone(machine, to=now + (SELDOM if found.is_settled else _pause(failures)))


def _write_failure(machine: VirtualMachine, now: datetime) -> None:
    failures = machine.details_failures + 1
    VirtualMachine.objects.filter(pk=machine.pk).update(details_failures=failures)
    _postpone(machine, to=now + _pause(failures))


def _pause(failures: int) -> timedelta:
    return PAUSES[min(failures, len(PAUSES)) - 1]


def _postpone(machine: VirtualMachine, *, to: datetime) -> bool:
    """Unless it was made due anew meanwhile: then that holds."""
    row = VirtualMachine.objects.filter(pk=machine.pk, details_due_at=machine.details_due_at)
    return bool(row.update(details_due_at=to))
