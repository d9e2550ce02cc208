"""Answers that only making machines asks for: features, storages, cloud-init."""

import re
from dataclasses import dataclass

from clusters.proxmox.results.coercion import figure, flag, is_node_name, is_vmid, row, rows, text

MAX_STORAGES = 1000
# In the user data of cloud-init: a hash begins with a dollar, all else is the password itself.
_CLEAR_PASSWORD = re.compile(r"^password: *(?![$]|['\"][$])\S", re.MULTILINE)


@dataclass(frozen=True)
class Feature:
    """`nodes` are those on which the storages of the machine are there."""

    is_there: bool
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class StorageStatus:
    """A storage as one node sees it. Sizes are bytes, 0 where it is switched off or unreachable."""

    name: str
    plugin: str
    content: tuple[str, ...]
    is_active: bool
    is_enabled: bool
    is_shared: bool
    total: int
    used: int
    available: int

    @property
    def takes_disks(self) -> bool:
        return self.is_active and self.is_enabled and "images" in self.content


def feature(data: object) -> Feature:
    found = row(data)
    nodes = found.get("nodes")
    listed = nodes if isinstance(nodes, list) else []
    return Feature(flag(found.get("hasFeature")), tuple(filter(is_node_name, listed)))


def storages(data: object) -> tuple[StorageStatus, ...]:
    found = (row(entry) for entry in rows(data)[:MAX_STORAGES])
    return tuple(
        StorageStatus(
            name=text(entry.get("storage"), 100),
            plugin=text(entry.get("type"), 40),
            content=tuple(filter(None, text(entry.get("content"), 200).split(","))),
            is_active=flag(entry.get("active")),
            is_enabled=flag(entry.get("enabled")),
            is_shared=flag(entry.get("shared")),
            total=int(figure(entry.get("total"))),
            used=int(figure(entry.get("used"))),
            available=int(figure(entry.get("avail"))),
        )
        for entry in found
        if text(entry.get("storage"), 100)
    )


def disk_owners(data: object) -> frozenset[int]:
    found = (figure(row(entry).get("vmid")) for entry in rows(data))
    return frozenset(int(vmid) for vmid in found if is_vmid(int(vmid)))


def cloudinit_pending(data: object) -> tuple[str, ...]:
    found = (row(entry) for entry in rows(data)[:100])
    return tuple(text(entry.get("key"), 60) for entry in found if "pending" in entry or flag(entry.get("delete")))


def has_clear_password(data: object) -> bool:
    return isinstance(data, str) and _CLEAR_PASSWORD.search(data) is not None
