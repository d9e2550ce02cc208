"""The snapshots of a guest, as the tree that they are."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from clusters.proxmox.errors import BadParameter, ProtocolError
from clusters.proxmox.results.coercion import Row, flag, lines, row, rows, snapshot_part, text, whole

MAX_SNAPSHOTS = 200
_NOW = "current"


@dataclass(frozen=True)
class Snapshot:
    """`taken` is in seconds since 1970; `parent` is empty and `depth` 0 for a first one.

    `state` is empty for a complete one: otherwise its saving (`prepare`) or deletion (`delete`) has not finished.
    """

    name: str
    parent: str
    depth: int
    description: str
    taken: int
    with_memory: bool
    state: str = ""


@dataclass(frozen=True)
class Snapshots:
    """In the order of the tree, parents before their children. `current` is the one that the guest is based on."""

    all: tuple[Snapshot, ...]
    current: str
    rejected: int = 0


def snapshots(data: object) -> Snapshots:
    """Rows that make no sense are counted; a parent that is not there, or its own descendant, is none."""
    found: dict[str, Row] = {}
    current, rejected = "", 0
    for entry in rows(data):
        try:
            if row(entry).get("name") == _NOW:
                current = text(entry.get("parent"), 40)
                continue
            name = snapshot_part(entry.get("name"))
            whole(entry.get("snaptime"))
            if len(found) >= MAX_SNAPSHOTS or found.setdefault(name, entry) is not entry:
                raise ValueError(gettext_noop("too many, or one twice"))
        except (ValueError, ProtocolError, BadParameter):
            rejected += 1
    return Snapshots(tuple(_in_order(found)), current if current in found else "", rejected)


def _in_order(found: dict[str, Row]) -> Iterator[Snapshot]:
    children = defaultdict(list)
    for name in sorted(found, key=lambda name: (whole(found[name].get("snaptime")), name), reverse=True):
        children[_parent(found, name)].append(name)
    waiting = [(name, "", 0) for name in children[""]]
    while waiting:
        name, parent, depth = waiting.pop()
        yield _snapshot(found[name], parent, depth)
        waiting.extend((child, name, depth + 1) for child in children[name])


def _parent(found: dict[str, Row], name: str) -> str:
    """Empty when the line of parents leads back to where it began."""
    first, passed = _named_parent(found, name), {name}
    ancestor = first
    while ancestor:
        if ancestor in passed:
            return ""
        passed.add(ancestor)
        ancestor = _named_parent(found, ancestor)
    return first


def _named_parent(found: dict[str, Row], name: str) -> str:
    parent = text(found[name].get("parent"), 40)
    return parent if parent in found else ""


def _snapshot(entry: Row, parent: str, depth: int) -> Snapshot:
    return Snapshot(
        name=str(entry["name"]),
        parent=parent,
        depth=depth,
        description=lines(entry.get("description"), 1000),
        taken=whole(entry.get("snaptime")),
        with_memory=flag(entry.get("vmstate")),
        state=text(entry.get("snapstate"), 20),
    )
