"""A guest in detail: its state, configuration, and addresses."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from clusters.proxmox.errors import ProtocolError, Refused
from clusters.proxmox.results.coercion import (
    MAX_VMID,
    Row,
    figure,
    flag,
    ip_address,
    is_vmid,
    lines,
    mac_address,
    row,
    rows,
    text,
    whole,
)
from clusters.proxmox.results.inventory import tags
from clusters.sentences import say

MAX_VALUE = 4096
MAX_DESCRIPTION = 8192
MAX_OPTIONS = 500
# A guest with many containers has a card for each.
MAX_INTERFACES = 2000
MAX_ADDRESSES = 64
# Masked by the cluster or not, nobody needs to see these.
_SECRET_OPTIONS = frozenset({"cipassword", "sshkeys"})

_MARK = re.compile(r"lab-portal: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*(?:\n|$)")
_UUID = re.compile(r"(?:^|,)uuid=([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?:,|$)")
_NET = re.compile(r"net[0-9]{1,2}")
_DRIVE = re.compile(r"(?:ide|sata|scsi|virtio)[0-9]{1,2}|efidisk0|tpmstate0")


@dataclass(frozen=True)
class GuestStatus:
    """The status of a guest. Paused: `status` is running, `qmp_status` paused; containers have no `qmp_status`."""

    status: str
    qmp_status: str
    lock: str
    name: str
    uptime: int
    ha_managed: bool

    @property
    def state(self) -> str:
        """As lists have it: QEMU's own state where it has one, for instance paused or io-error."""
        return self.qmp_status if self.status == "running" and self.qmp_status else self.status


@dataclass(frozen=True)
class GuestConfig:
    """`memory` is in MiB; `agent` is whether one is expected, not whether it answers. `options` has all as text."""

    name: str
    cores: int
    memory: int
    agent: bool
    description: str
    tags: tuple[str, ...]
    macs: tuple[str, ...]
    template: bool
    lock: str
    digest: str
    options: Mapping[str, str] = field(hash=False)
    # Which of the secret options there are.
    secrets: frozenset[str] = frozenset()

    @property
    def mark(self) -> str:
        """The UUID by which the portal knows a machine that it made; empty for others."""
        found = _MARK.match(self.description)
        return found[1] if found else ""

    @property
    def smbios_uuid(self) -> str:
        """In lower case; empty for a machine without one."""
        found = _UUID.search(self.options.get("smbios1", ""))
        return found[1].lower() if found else ""

    @property
    def protection(self) -> bool:
        return self.options.get("protection") == "1"

    @property
    def net(self) -> dict[str, str]:
        """The network cards by name, as the configuration has them: `virtio=BC:…,bridge=vmbr0,tag=5`."""
        return {name: value for name, value in self.options.items() if _NET.fullmatch(name)}

    @property
    def drives(self) -> dict[str, str]:
        """The drives by name, CDs and the one of cloud-init included."""
        return {name: value for name, value in self.options.items() if _DRIVE.fullmatch(name)}

    @property
    def disks(self) -> dict[str, str]:
        """The hard disks by name, with their state for EFI and TPM."""
        return {name: value for name, value in self.drives.items() if "media=cdrom" not in value.split(",")}

    @property
    def cloudinit_drive(self) -> str:
        """The name of the drive that cloud-init reads, like ide2; empty without one."""
        return next((name for name, value in self.drives.items() if "cloudinit" in value.partition(",")[0]), "")

    @property
    def is_windows(self) -> bool:
        return self.options.get("ostype", "").startswith("w")


@dataclass(frozen=True)
class PendingChange:
    """An option that changes when the guest starts anew: to nothing when `deleted`."""

    option: str
    now: str
    then: str
    deleted: bool


@dataclass(frozen=True)
class Interface:
    """A network interface as the guest reports it: nobody else vouches for it."""

    name: str
    mac: str
    addresses: tuple[str, ...]


# Answers


def guest_status(data: object) -> GuestStatus:
    found = row(data)
    ha = found.get("ha")
    return GuestStatus(
        status=text(found.get("status"), 20) or "unknown",
        qmp_status=text(found.get("qmpstatus"), 20),
        lock=text(found.get("lock"), 20),
        name=text(found.get("name")),
        uptime=int(figure(found.get("uptime"))),
        ha_managed=isinstance(ha, dict) and flag(ha.get("managed")),
    )


def guest_config(data: object) -> GuestConfig:
    found = row(data)
    options = {text(name, 60): lines(value, MAX_VALUE) for name, value in list(found.items())[:MAX_OPTIONS]}
    secrets = frozenset(name for name in _SECRET_OPTIONS if options.pop(name, ""))
    return GuestConfig(
        name=text(found.get("name") or found.get("hostname")),
        cores=int(figure(found.get("cores"))) or 1,
        memory=_memory(found.get("memory")),
        agent=_agent(found.get("agent")),
        description=lines(found.get("description"), MAX_DESCRIPTION),
        tags=tags(found.get("tags")),
        macs=tuple(_macs(options)),
        template=flag(found.get("template")),
        lock=text(found.get("lock"), 20),
        digest=text(found.get("digest"), 64),
        options=MappingProxyType(options),
        secrets=secrets,
    )


def _memory(value: object) -> int:
    """A number, or since 9 perhaps `current=2048`."""
    named = re.search(r"(?:^|,)current=([0-9]{1,10})(?:,|$)", value) if isinstance(value, str) else None
    return int(figure(named[1] if named else value)) or 512


def _agent(value: object) -> bool:
    """`1`, or `enabled=1,…`, or `1,…`."""
    return re.match(r"(?:enabled=)?1(?:,|$)", text(value, 200)) is not None


def _macs(options: Mapping[str, str]) -> Iterator[str]:
    """`virtio=BC:…,bridge=…` of machines, `name=eth0,hwaddr=BC:…` of containers."""
    for name, value in options.items():
        if re.fullmatch(r"net[0-9]{1,3}", name):
            yield from filter(None, (mac_address(part.partition("=")[2]) for part in value.split(",")))


def pending(data: object) -> tuple[PendingChange, ...]:
    """The options that differ; those with a secret are left out."""
    found = (row(entry) for entry in rows(data)[:MAX_OPTIONS])
    return tuple(
        PendingChange(
            option=text(entry.get("key"), 60),
            now=lines(entry.get("value"), MAX_VALUE),
            then=lines(entry.get("pending"), MAX_VALUE),
            deleted=flag(entry.get("delete")) or entry.get("delete") in (2, "2"),
        )
        for entry in found
        if ("pending" in entry or "delete" in entry) and entry.get("key") not in _SECRET_OPTIONS
    )


def next_id(data: object) -> int:
    vmid = or_bad(whole, data)
    if not is_vmid(vmid):
        raise ProtocolError(say("no-vmid", most=MAX_VMID))
    return vmid


def has_feature(data: object) -> bool:
    return flag(row(data).get("hasFeature"))


def interfaces(data: object) -> tuple[Interface, ...]:
    """The interfaces of a machine (from its agent) or of a container; of a stopped container, none.

    Raises `Refused` when the agent answered with an error of its own.
    """
    if isinstance(data, dict):
        data = data.get("result")
        if isinstance(data, dict) and isinstance(data.get("error"), dict):
            reason = text(data["error"].get("desc"), 300)
            raise Refused(say("agent-refused", reason=reason), reason=reason)
    found = [entry for entry in rows(data or [])[:MAX_INTERFACES] if isinstance(entry, dict)]
    return tuple(_interface(entry) for entry in found)


def _interface(entry: Row) -> Interface:
    listed = entry.get("ip-addresses")
    given = [each.get("ip-address") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if not given:
        given = [text(entry.get(name), 60).partition("/")[0] for name in ("inet", "inet6")]
    addresses = filter(None, map(ip_address, given[:MAX_ADDRESSES]))
    return Interface(
        name=text(entry.get("name"), 60),
        mac=mac_address(entry.get("hardware-address") or entry.get("hwaddr")),
        addresses=tuple(dict.fromkeys(addresses)),
    )


def or_bad(convert: Callable[[object], int], value: object) -> int:
    try:
        return convert(value)
    except ValueError:
        raise ProtocolError(say("number-expected")) from None
