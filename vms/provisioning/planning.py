"""Spreads machines over the nodes of a cluster: a pure function of facts, which reads and writes nothing.

A machine goes where most memory and cores are left, on a node that has a copy of the template. A node that is offline
or nearly full gets none. A machine that was planned before keeps its place as long as it still fits there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# A node or storage keeps this share of its room free.
KEPT_FREE = 0.10
# Cores may be promised several times over: machines of a class rarely work all at once.
CORES_SHARED_BY = 4
# A linked clone grows from nothing. This much has to be there for each, in GiB.
LINKED_CLONE_GIB = 1


@dataclass(frozen=True)
class StorageFacts:
    """Sizes in GiB. A shared storage is the same one on every node."""

    name: str
    is_shared: bool
    is_usable: bool
    total: float
    free: float


@dataclass(frozen=True)
class NodeFacts:
    """Memory in MiB; None where the portal may not see it. `reserved_…` is promised there, and not made yet."""

    name: str
    is_online: bool
    memory: int | None = None
    memory_free: int | None = None
    cores: int | None = None
    cores_running: float = 0
    reserved_memory: int = 0
    reserved_cores: int = 0
    storages: Mapping[str, StorageFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """A copy of the template. `storage` is where its disk is; on a shared one it serves all nodes."""

    pk: int
    node: str
    vmid: int
    storage: str
    is_shared: bool


@dataclass(frozen=True)
class Facts:
    """What a cluster has. `vmids` are taken: known to it, promised to others, or left behind with a disk."""

    nodes: tuple[NodeFacts, ...]
    vmids: frozenset[int]
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Template:
    """What one machine needs, memory in MiB and disk in GiB; where it may be, and how it may be called."""

    copies: tuple[Copy, ...]
    is_full: bool
    storage: str
    vmids: tuple[int, int]
    pattern: str
    cores: int
    memory: int
    disk: int


@dataclass(frozen=True)
class Place:
    """Where one machine will be. `storage` is that of its disk."""

    name: str
    vmid: int
    node: str
    storage: str
    copy: int


# Why a machine has no place.
NO_VMID, NO_NODE, NO_COPY = "no-vmid", "no-node", "no-copy"

# Why a node gets no machine.
OFFLINE, NEARLY_FULL, STORAGE_FULL, STORAGE_AWAY = "offline", "nearly-full", "storage-full", "storage-away"


def spread(count: int, template: Template, facts: Facts, before: Iterable[Place] = ()) -> list[Place | str]:
    """A place for each machine, or why it has none. `before` are places of an earlier plan, kept if they still fit."""
    room = _Room(template, facts)
    if not template.copies:
        return [NO_COPY] * count
    kept = list(before)[:count]
    held = [room.keep(place) for place in kept] + [None] * (count - len(kept))
    return [place or room.find() for place in held]


def left_out(template: Template, facts: Facts) -> dict[str, str]:
    """By node that has a copy: why it gets no machine at all."""
    room = _Room(template, facts)
    found = {}
    for node in facts.nodes:
        if room.copy_for(node) and (why := room.why_not(node)):
            found[node.name] = why
    return found


class _Room:
    """What is left while machines are placed one after another."""

    def __init__(self, template: Template, facts: Facts) -> None:
        self.template, self.nodes = template, {node.name: node for node in facts.nodes}
        self.taken, self.names = set(facts.vmids), set(facts.names)
        self.placed: Counter[str] = Counter()
        self.on_storage: Counter[tuple[str, str]] = Counter()
        self._numbers = iter(range(template.vmids[0], template.vmids[1] + 1))
        self._names = self._all_names()

    def keep(self, place: Place) -> Place | None:
        """The same place, if it still does."""
        node = self.nodes.get(place.node)
        copy = self.copy_for(node) if node else None
        first, last = self.template.vmids
        is_free = place.vmid not in self.taken and place.name.lower() not in self.names and first <= place.vmid <= last
        if node is None or copy is None or not is_free or self.why_not(node):
            return None
        if (place.copy, place.storage) != (copy.pk, self._storage(copy)):
            return None
        self._take(place)
        return place

    def find(self) -> Place | str:
        fitting = [node for node in self.nodes.values() if self.copy_for(node) and not self.why_not(node)]
        if not fitting:
            return NO_NODE
        node = max(fitting, key=lambda one: (self._left(one), -self.placed[one.name], [-ord(c) for c in one.name]))
        copy = self.copy_for(node)
        vmid = next((number for number in self._numbers if number not in self.taken), None)
        if vmid is None or copy is None:
            return NO_VMID
        name = next(name for name in self._names if name.lower() not in self.names)
        place = Place(name, vmid, node.name, self._storage(copy), copy.pk)
        self._take(place)
        return place

    def copy_for(self, node: NodeFacts) -> Copy | None:
        """The copy that a machine on this node is made from: its own, or one on shared storage."""
        own = [copy for copy in self.template.copies if copy.node == node.name]
        shared = [copy for copy in self.template.copies if copy.is_shared and self._reaches(copy, node)]
        return next(iter(own), None) or next(iter(shared), None)

    def why_not(self, node: NodeFacts) -> str:
        """Why this node gets no further machine, or nothing."""
        copy = self.copy_for(node)
        source = self.nodes.get(copy.node) if copy else None
        if not node.is_online or source is None or not source.is_online:
            return OFFLINE
        if node.memory is not None and self._memory_left(node) - self.template.memory < node.memory * KEPT_FREE:
            return NEARLY_FULL
        return self._storage_problem(node, copy) if copy else ""

    def _storage_problem(self, node: NodeFacts, copy: Copy) -> str:
        storage = node.storages.get(self._storage(copy))
        if storage is None:  # it is not among those that the portal may see: the run will tell
            return ""
        if not storage.is_usable:
            return STORAGE_AWAY
        need = self.template.disk if self.template.is_full else LINKED_CLONE_GIB
        left = storage.free - need * (self.on_storage[self._key(node.name, storage)] + 1)
        return STORAGE_FULL if left < storage.total * KEPT_FREE else ""

    def _reaches(self, copy: Copy, node: NodeFacts) -> bool:
        """Whether a copy of another node serves this one: all that the machine gets is on shared storage."""
        storage = node.storages.get(self._storage(copy))
        return storage is None or storage.is_shared

    def _storage(self, copy: Copy) -> str:
        return self.template.storage if self.template.is_full and self.template.storage else copy.storage

    def _memory_left(self, node: NodeFacts) -> int:
        taken = node.reserved_memory + self.placed[node.name] * self.template.memory
        return (node.memory_free or 0) - taken

    def _left(self, node: NodeFacts) -> float:
        """The smaller share that is left, of memory or of cores. Where neither is known: fewer machines are better."""
        shares = []
        if node.memory:
            shares.append(self._memory_left(node) / node.memory)
        if node.cores:
            promised = node.cores_running + node.reserved_cores + self.placed[node.name] * self.template.cores
            shares.append(1 - promised / (node.cores * CORES_SHARED_BY))
        return round(min(shares), 6) if shares else 0.0

    def _take(self, place: Place) -> None:
        self.taken.add(place.vmid)
        self.names.add(place.name.lower())
        self.placed[place.node] += 1
        storage = self.nodes[place.node].storages.get(place.storage)
        if storage:
            self.on_storage[self._key(place.node, storage)] += 1

    @staticmethod
    def _key(node: str, storage: StorageFacts) -> tuple[str, str]:
        return ("", storage.name) if storage.is_shared else (node, storage.name)

    def _all_names(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield self.template.pattern.replace("{n}", str(number))
