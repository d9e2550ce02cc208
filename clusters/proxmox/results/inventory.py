"""The resources of a cluster: guests, and the pools that contain them."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext_noop

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.results import digests
from clusters.proxmox.results.cluster import NodeState, node_name
from clusters.proxmox.results.coercion import Row, figure, flag, is_pool_name, is_vmid, real, row, rows, text, whole
from clusters.proxmox.results.digests import Digest
from clusters.proxmox.results.flat_rows import as_mapping

MAX_NAMES = 1000

# The tags that Proxmox allows; others would only come from somebody who means harm.
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
TAGS = re.compile(rf"{TAG.pattern}(?:;{TAG.pattern})*")


class Guest(NamedTuple):
    """Memory and disk are what the guest has, in bytes; uptime is in seconds. On a lost node, most is empty.

    A tuple, because there are thousands of them in an answer. `ha_state` is empty when nothing keeps it up.
    """

    vmid: int
    kind: str
    node: str
    name: str
    status: str
    template: bool
    tags: tuple[str, ...]
    pool: str
    lock: str
    cpus: float
    memory: int
    disk: int
    uptime: int
    ha_state: str = ""


@dataclass(frozen=True)
class Resources:
    """`rejected` counts the rows that made no sense; `rejected_vmids` are their VMIDs, as far as they can be read.

    `odd_vmids` are those of guests with a figure that makes no sense: it counts as 0. `pools` are the names of those
    that the account may see.

    `unchanged` counts the guests that are left out, because they are as in the digest that the answer was compared
    with. `digest` is for comparing the next answer, if one was asked for and this answer is good for it.
    """

    guests: tuple[Guest, ...]
    nodes: tuple[NodeState, ...]
    rejected: int = 0
    pools: tuple[str, ...] = ()
    unchanged: int = 0
    digest: Digest | None = None
    rejected_vmids: tuple[int, ...] = ()
    odd_vmids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pool:
    name: str
    comment: str


@dataclass(frozen=True)
class PoolMembers:
    """`rejected` counts the members that made no sense."""

    name: str
    comment: str
    guests: tuple[Guest, ...]
    storages: tuple[str, ...]
    rejected: int = 0


# Answers


def resources(data: object) -> Resources:
    """Rows of other types are passed over. A repeated VMID is rejected: a number stands for one guest."""
    guests: dict[int, Guest] = {}
    nodes: list[NodeState] = []
    pools: list[str] = []
    odd: list[int] = []
    rejected: list[object] = []
    for entry in rows(data):
        try:
            _sort_in(row(as_mapping(entry)), guests, nodes, pools, odd)
        except (ValueError, ProtocolError):
            rejected.append(entry)
    return Resources(
        tuple(guests.values()),
        tuple(nodes),
        len(rejected),
        _distinct(pools),
        rejected_vmids=tuple(filter(None, map(_readable_vmid, rejected))),
        odd_vmids=tuple(odd),
    )


def resources_since(data: object, known: Digest | None, *, again: Collection[int], clock: float) -> Resources:
    """Without the guests that are as the digest knows them, except those with the VMIDs in `again`.

    Whole without a digest, and when anything else than single guests differs.
    """
    entries = rows(data)
    found = digests.compare(entries, known or digests.NOTHING, again=again, clock=clock)
    if found and found.goes_on:
        part = resources(found.guests + found.others)
        if not part.rejected and not part.odd_vmids:
            return replace(part, unchanged=len(found.digest.guests) - len(part.guests), digest=found.digest)
    whole = resources(entries)
    return replace(whole, digest=found.digest if found and not (whole.rejected or whole.odd_vmids) else None)


def _sort_in(entry: Row, guests: dict[int, Guest], nodes: list[NodeState], pools: list[str], odd: list[int]) -> None:
    kind = entry.get("type")
    if kind in ("qemu", "lxc"):
        guest = _guest(entry, odd)
        if guests.setdefault(guest.vmid, guest) is not guest:
            raise ValueError(gettext_noop("a VMID twice"))
    elif kind == "node":
        nodes.append(NodeState(node_name(entry.get("node")), entry.get("status") == "online"))
    elif kind == "pool" and is_pool_name(entry.get("pool")):
        pools.append(entry["pool"])


def _readable_vmid(entry: object) -> int:
    """The VMID of a row that was rejected; 0 when it has none."""
    entry = as_mapping(entry)
    try:
        vmid = whole(entry.get("vmid")) if isinstance(entry, dict) else 0
    except ValueError:
        return 0
    return vmid if is_vmid(vmid) else 0


def _guest(entry: Row, odd: list[int]) -> Guest:
    """Only what identifies it has to be right. A figure that makes no sense is 0, and adds the VMID to `odd`."""
    get = entry.get
    vmid = whole(get("vmid"))
    if not is_vmid(vmid):
        raise ValueError(gettext_noop("vmid out of range"))
    try:
        figures = real(get("maxcpu")), whole(get("maxmem")), whole(get("maxdisk")), whole(get("uptime"))
    except ValueError:
        odd.append(vmid)
        memory, disk, uptime = (int(figure(get(name))) for name in ("maxmem", "maxdisk", "uptime"))
        figures = float(figure(get("maxcpu"))), memory, disk, uptime
    return Guest(
        vmid,
        entry["type"],
        node_name(get("node")),
        text(get("name")),
        text(get("status"), 20) or "unknown",
        flag(get("template")),
        tags(get("tags")),
        _optional(get("pool"), 100),
        _optional(get("lock"), 20),
        *figures,
        _optional(get("hastate"), 20),
    )


def _optional(value: object, limit: int) -> str:
    """Text that most guests do not have."""
    return "" if value is None else text(value, limit)


def pools(data: object) -> tuple[Pool, ...]:
    found = [row(entry) for entry in rows(data)]
    return tuple(_pool(entry) for entry in found if is_pool_name(entry.get("poolid")))


def pool_members(data: object, name: str) -> PoolMembers:
    """The members, from either form of the call: a list of one pool, or the pool without its name."""
    found = row(rows(data)[0] if isinstance(data, list) and data else data)
    members = rows(found.get("members", []))
    content = resources([entry for entry in members if not _is(entry, "storage")])
    storages = [text(entry.get("storage"), 100) for entry in members if _is(entry, "storage")]
    return PoolMembers(
        name=name,
        comment=text(found.get("comment"), 1000),
        guests=content.guests,
        storages=_distinct(storages),
        rejected=content.rejected,
    )


def tags(value: object) -> tuple[str, ...]:
    return () if value is None else _split(text(value, 1000))


@lru_cache(maxsize=1024)
def _split(tags: str) -> tuple[str, ...]:
    """Remembered, because the machines of a class have the same."""
    if TAGS.fullmatch(tags):
        return _distinct(tags.split(";"))  # as nearly always
    return _distinct(filter(TAG.fullmatch, re.split(r"[;,\s]+", tags)))


def _pool(entry: Row) -> Pool:
    return Pool(name=str(entry["poolid"]), comment=text(entry.get("comment"), 1000))


def _is(entry: object, kind: str) -> bool:
    return isinstance(entry, dict) and entry.get("type") == kind


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))[:MAX_NAMES]
