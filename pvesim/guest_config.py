"""The configuration file of a guest, as the API shows it."""

from __future__ import annotations

import hashlib
import re
import uuid
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pvesim.guests import Guest

CLOUDINIT = ("cicustom", "cipassword", "citype", "ciuser", "nameserver", "searchdomain", "sshkeys")
MASK = "*" * 10

MIB = 1 << 20
GIB = 1 << 30


def shown(guest: Guest) -> dict[str, str | int]:
    """Numbers as numbers and as strings, just as they come."""
    config = _qemu(guest) if guest.kind == "qemu" else _lxc(guest)
    config.update({key: value for key, value in _common(guest).items() if value})
    config.update(guest.options)
    if guest.is_incomplete:
        config.pop("scsi0", None)
    waiting = {f"pending {name}": plain(value) for name, value in guest.pending.items()}
    digest = _digest({**config, **waiting})
    return {**config, **({"cipassword": MASK} if "cipassword" in config else {}), "digest": digest}


def _common(guest: Guest) -> dict[str, str | int]:
    return {
        "tags": ";".join(guest.tags),
        "description": guest.description,
        "lock": guest.lock or "",
        "template": int(guest.template),
    }


def _qemu(guest: Guest) -> dict[str, str | int]:
    identity = uuid.UUID(int=zlib.crc32(f"bios:{guest.hardware_seed}".encode()) << 64 | guest.vmid, version=4)
    return {
        "name": guest.name,
        "cores": guest.maxcpu,
        "memory": str(guest.maxmem // MIB),
        "ostype": "l26",
        "agent": "0" if guest.agent == "off" else "1",
        "boot": "order=scsi0;net0",
        "net0": f"virtio={guest.mac},bridge=vmbr0,firewall=1",
        "onboot": 0,
        "scsi0": f"{guest.volume},size={guest.maxdisk // GIB}G",
        "scsihw": "virtio-scsi-single",
        "smbios1": f"uuid={identity}",
    }


def _lxc(guest: Guest) -> dict[str, str | int]:
    return {
        "hostname": guest.name,
        "arch": "amd64",
        "cores": guest.maxcpu,
        "memory": guest.maxmem // MIB,
        "swap": 512,
        "ostype": "debian",
        "net0": f"name=eth0,bridge=vmbr0,hwaddr={guest.mac},ip=dhcp,type=veth",
        "rootfs": f"data:{guest.vmid}/vm-{guest.vmid}-disk-0.raw,size={guest.maxdisk // GIB}G",
        "unprivileged": 1,
    }


def is_drive(name: str) -> bool:
    return re.fullmatch(r"(ide|sata|scsi|virtio)\d+", name) is not None


def is_for_cloudinit(name: str) -> bool:
    return name in CLOUDINIT or name.startswith("ipconfig")


def plain(value: object) -> str | int:
    return int(value) if isinstance(value, bool | int) else str(value)


def config_file(node: str, kind: str, vmid: int) -> str:
    folder = "qemu-server" if kind == "qemu" else "lxc"
    return f"nodes/{node}/{folder}/{vmid}.conf"


def _digest(config: dict[str, str | int]) -> str:
    text = "".join(f"{key}: {config[key]}\n" for key in sorted(config))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
