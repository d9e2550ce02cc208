"""Details, read for one machine at a time, a few per run: hardware ID, MACs, IP addresses and snapshots."""

import ipaddress
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.dispatch import Signal
from django.utils import timezone

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms.inventory import identity
from vms.inventory.snapshots import write_snapshots
from vms.models import VirtualMachine

logger = logging.getLogger(__name__)

# Details of machines of a cluster are due, and somebody looks. cluster_id: str
details_waits = Signal()

# Machines per run.
MAX_MACHINES = 5

# How often the details of a machine without changes are read.
REFRESH_EVERY = timedelta(hours=6)

# How often the details of a machine are read while somebody looks at its page.
LOOKED_AT_EVERY = timedelta(seconds=30)

# The delays of successive retries, after a failure or while a running machine has no address. The last one repeats.
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 1800))

# Longer than reading one machine takes. After it, another worker takes over from a dead one.
LEASE = timedelta(minutes=2)

MAX_ADDRESSES = 16

# Cards that a guest makes for its own containers, virtual machines and tunnels: others don't reach it there.
INNER_CARD = re.compile(
    r"docker|podman|br-[0-9a-f]{12}$|veth|cali|cilium|flannel|cni|kube|weave|nerdctl|lxcbr|lxdbr|incusbr|virbr|vnet|vboxnet"
    r"|vmnet|tailscale|zt|wg|tun|tap|vethernet|virtualbox|vmware network adapter|openvpn|wireguard",
    re.IGNORECASE,
)

# Errors that concern one machine, its node or a privilege, not the whole cluster.
MACHINE_ERRORS = (
    proxmox.Refused, proxmox.NodeDown, proxmox.NotFound, proxmox.PermissionMissing, proxmox.BadParameter,
    proxmox.ProtocolError,
)  # fmt: skip


@dataclass(frozen=True)
class Details:
    """`addresses` is None when they are unknown, as is `can_snapshot`: whether the disks can have snapshots.

    `is_settled` is False while an address is expected and missing, or a snapshot is incomplete.
    """

    config: proxmox.GuestConfig
    addresses: list[str] | None
    snapshots: proxmox.Snapshots
    can_snapshot: bool | None
    is_settled: bool


def read_details(config: ClusterConfig) -> int:
    """Read the details of a few machines: doubtful ones, then those that wait longest. Returns how many were read.

    A failure of one machine delays only that machine. When the cluster does not answer, the others wait for the next
    run.
    """
    asked = 0
    try:
        with gateway.read(config) as pve, gateway.connect(config) as agents:
            for machine in _due().filter(cluster_id=config.cluster_id)[:MAX_MACHINES]:
                asked += _read(pve, agents, machine)
    except proxmox.ProxmoxError as error:
        logger.info("%s: %s", config.cluster_id, error.plain)
    return asked


def look_again(machines: Iterable[VirtualMachine], *, every: timedelta = LOOKED_AT_EVERY) -> int:
    """Have the details of machines that somebody looks at read now, if the last try is older than `every`.

    Returns of how many machines.
    """
    now = timezone.now()
    old = [
        one
        for one in machines
        if last_try(one.details_due_at, one.details_failures, one.details_at, now=now) < now - every
    ]
    if not old:
        return 0
    there = VirtualMachine.objects.present().filter(missing_since=None, silent_since=None, details_due_at__gt=now)
    count = int(there.filter(pk__in=[machine.pk for machine in old]).update(details_due_at=now))
    for cluster_id in sorted({machine.cluster_id for machine in old}) if count else ():
        details_waits.send(None, cluster_id=cluster_id)
    return count


def last_try(due: datetime | None, failures: int, read_at: datetime | None, *, now: datetime) -> datetime:
    """When the details were read last, or could not be. The present for a machine whose details are due anyway."""
    if due is None or due <= now:
        return now
    return due - _retry_delay(failures) if failures else read_at or due - REFRESH_EVERY


def clusters_with_details_due() -> set[str]:
    """The IDs of clusters that answered last time and have machines whose details are due."""
    due = _due().filter(cluster__health__ok=True).order_by().values("cluster_id").distinct()
    return {str(row["cluster_id"]) for row in due}


def _due() -> QuerySet[VirtualMachine]:
    ripe = Q(details_due_at=None) | Q(details_due_at__lte=timezone.now())
    there = VirtualMachine.objects.present().filter(ripe, missing_since=None, silent_since=None)
    in_doubt_first = Case(When(doubted_since=None, then=Value(1)), default=Value(0))
    return there.order_by(in_doubt_first, F("details_due_at").asc(nulls_first=True), "pk")


def _read(pve: proxmox.Reader, agents: proxmox.Reader, machine: VirtualMachine) -> bool:
    """False when another worker reads it."""
    now = timezone.now()
    lease = now + LEASE
    if not _postpone(machine, to=lease):
        return False
    machine.details_due_at = lease
    try:
        found = _ask(pve, agents, machine)
    except MACHINE_ERRORS as error:
        logger.info("%s: %s", machine, error.plain)
        _write_failure(machine, now)
        return True
    if identity.is_another(machine, found.config):
        machine = identity.replace(machine, found.config, now) or machine
    _write(machine, found, now)
    return True


def _ask(pve: proxmox.Reader, agents: proxmox.Reader, machine: VirtualMachine) -> Details:
    """Guest agents are asked with the main credential: up to Proxmox VE 8 that privilege also allows running commands
    in machines, which a read-only token must not have.
    """
    guest = (machine.node, machine.kind, machine.vmid)
    config = pve.guest_config(*guest)
    snapshots = pve.snapshots(*guest)
    has_addresses = machine.status == "running" and (machine.kind == "lxc" or config.agent)
    addresses, is_settled = (
        _addresses(agents if machine.kind == "qemu" else pve, machine, config) if has_addresses else ([], True)
    )
    are_complete = not any(one.state for one in snapshots.all)
    return Details(config, addresses, snapshots, _can_snapshot(pve, machine), is_settled and are_complete)


def _can_snapshot(pve: proxmox.Reader, machine: VirtualMachine) -> bool | None:
    try:
        return pve.can_snapshot(machine.node, machine.kind, machine.vmid)
    except MACHINE_ERRORS as error:  # a storage that does not respond says nothing about its disks
        logger.info("%s: %s", machine, error.plain)
        return None


def _addresses(
    pve: proxmox.Reader, machine: VirtualMachine, config: proxmox.GuestConfig
) -> tuple[list[str] | None, bool]:
    """The addresses of a running machine, and whether they are final."""
    try:
        found = _usable(pve.interfaces(machine.node, machine.kind, machine.vmid), config.macs)
    except (proxmox.PermissionMissing, proxmox.LoginRejected):
        return None, True
    except (proxmox.Refused, proxmox.NodeDown, proxmox.ProtocolError) as error:
        logger.info("%s: %s", machine, error.plain)
        return None, False
    return found, bool(found)


def _usable(interfaces: tuple[proxmox.Interface, ...], macs: tuple[str, ...]) -> list[str]:
    """The addresses at which others may reach the guest, as the guest reports them, the likeliest first.

    Those of the cards in its configuration come first, then other cards, then those that it made for itself; of each,
    IPv4 first.
    """
    given = [(card, ipaddress.ip_address(text)) for card in interfaces for text in card.addresses]
    useless = ("is_loopback", "is_link_local", "is_multicast", "is_unspecified")
    usable = [(card, ip) for card, ip in given if not any(getattr(ip, name) for name in useless)]
    usable.sort(key=lambda found: (_rank(found[0], macs), found[1].version))
    return list(dict.fromkeys(str(ip) for _, ip in usable))[:MAX_ADDRESSES]


def _rank(card: proxmox.Interface, macs: tuple[str, ...]) -> int:
    if card.mac and card.mac in macs:
        return 0
    return 2 if INNER_CARD.match(card.name) else 1


def _write(machine: VirtualMachine, found: Details, now: datetime) -> None:
    row = VirtualMachine.objects.present().filter(pk=machine.pk)
    failures = 0 if found.is_settled else machine.details_failures + 1
    values: dict[str, Any] = {"details_at": now, "details_failures": failures, **identity.identifiers(found.config)}
    values |= _console_options(found.config)
    values["vga"] = identity.display(found.config)
    if found.can_snapshot is not None:
        values["no_snapshots"] = not found.can_snapshot
    if machine.doubted_since:  # an old list may have given it another name
        values |= {"doubted_since": None, "name": found.config.name or machine.listed_name}
    with transaction.atomic():
        if not row.update(**values):
            return
        if found.addresses is not None:
            # A machine that was switched off since has no addresses.
            (row.exclude(status="stopped") if found.addresses else row).update(addresses=found.addresses)
        write_snapshots(machine.pk, found.snapshots)
    _postpone(machine, to=now + (REFRESH_EVERY if found.is_settled else _retry_delay(failures)))


def _console_options(config: proxmox.GuestConfig) -> dict[str, Any]:
    """What decides how keys and the pointer reach the guest. Proxmox VE adds a tablet where the option is not set."""
    return {
        "os_type": config.options.get("ostype", "")[:20],
        "keyboard_option": config.options.get("keyboard", "")[:20],
        "has_tablet": config.options.get("tablet", "1") != "0",
    }


def _write_failure(machine: VirtualMachine, now: datetime) -> None:
    failures = machine.details_failures + 1
    VirtualMachine.objects.filter(pk=machine.pk).update(details_failures=failures)
    _postpone(machine, to=now + _retry_delay(failures))


def _retry_delay(failures: int) -> timedelta:
    return RETRY_DELAYS[min(failures, len(RETRY_DELAYS)) - 1]


def _postpone(machine: VirtualMachine, *, to: datetime) -> bool:
    """False, with nothing written, when another due time was set meanwhile."""
    row = VirtualMachine.objects.filter(pk=machine.pk, details_due_at=machine.details_due_at)
    return bool(row.update(details_due_at=to))
