"""Digests of a list of resources, so that only the differences of the next list need be looked at.

Whatever is odd about an answer makes it one that must be looked at whole.
"""

from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from clusters.proxmox.results.flat_rows import STATIC, fields_of

# Of the fields in `STATIC`: type, node, status and pool.
SURROUNDING = itemgetter(*(STATIC.index(name) for name in ("type", "node", "status", "pool")))
COUNT = len(STATIC)

# Uptimes are as old as the list, some seconds. A start that moves the begin further is seen.
BOOT_JITTER = 30  # seconds

# What values of unexpected types raise while they are hashed and counted with.
ODD = (TypeError, AttributeError, KeyError, OverflowError)


@dataclass(frozen=True, slots=True)
class Digest:
    """By VMID: the hash of each guest, and of those that run, when they began. And one hash of nodes and pools.

    Hashes of text are salted, so a digest is of no use outside this process.
    """

    guests: dict[int, int]
    begins: dict[int, float]
    surroundings: int


NOTHING = Digest({}, {}, 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """The entries of guests that differ, and all that are no guests. `goes_on` is False when more than these differ."""

    guests: list[Any]
    others: list[Any]
    digest: Digest
    goes_on: bool


def compare(entries: list[Any], known: Digest, *, again: Collection[int], clock: float) -> Compared | None:
    """With what is known; the guests in `again` differ in any case. None when the answer cannot be traced.

    `clock` is monotonic, in seconds.
    """
    hashes: dict[int, int] = {}
    begins: dict[int, float] = {}
    guests, others, around, count = [], [], [], 0
    hash_before, begin_before = known.guests.get, known.begins.get
    try:
        # One walk: touching thousands of rows takes longer than what is done with them.
        fields = fields_of(entries)
        for entry in entries:
            values = fields(entry)
            vmid, kind, uptime = values[0], values[1], values[COUNT]
            if kind == "qemu" or kind == "lxc":  # noqa: PLR1714 - twice as fast
                count += 1
                hashes[vmid] = found = hash(values[:COUNT])
                begin = before = begin_before(vmid)
                if uptime or before:
                    begin = _begin(clock - uptime if uptime else None, before)
                    if begin is not None:
                        begins[vmid] = begin
                if found != hash_before(vmid) or begin != before or vmid in again:
                    guests.append(entry)
            elif kind in ("node", "pool"):
                others.append(entry)
                around.append(SURROUNDING(values))
            elif kind is None:
                return None
        digest = Digest(hashes, begins, hash((len(around), frozenset(around))))
    except ODD:
        return None
    if len(hashes) != count or set(map(type, hashes)) - {int}:
        return None
    goes_on = hashes.keys() == known.guests.keys() and digest.surroundings == known.surroundings
    return Compared(guests, others, digest, goes_on)


def _begin(found: float | None, before: float | None) -> float | None:
    """The known digest, if it is nearly the same: many small steps would be a restart that nobody sees."""
    if found is None or before is None:
        return found
    return before if abs(found - before) <= BOOT_JITTER else found
