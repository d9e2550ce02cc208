"""How many clones are under way at once, by storage, node and cluster; and how many other tasks, by node."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from django.conf import settings


@dataclass(frozen=True)
class Limits:
    """Full and linked clones at once. All others are what operations of people have, too."""

    full: dict[str, int]
    linked: dict[str, int]
    tasks_per_node: int

    @classmethod
    def in_force(cls, *, tasks_per_node: int | None = None) -> "Limits":
        """From the settings; the number of tasks a node from the cluster, where it has one."""
        return cls(settings.FULL_CLONES, settings.LINKED_CLONES, tasks_per_node or settings.OPERATIONS_PER_NODE)

    def of_clones(self, *, full: bool) -> dict[str, int]:
        return self.full if full else self.linked


@dataclass(frozen=True)
class Place:
    """Where a clone is made: its storage and the node of its template. `shared` storages count once for all nodes."""

    node: str
    storage: str
    full: bool
    shared: bool = False

    @cached_property
    def counters(self) -> dict[str, tuple[str, ...]]:
        kind = "full" if self.full else "linked"
        storage = (kind, "storage", self.storage) if self.shared else (kind, "storage", self.node, self.storage)
        return {"storage": storage, "node": (kind, "node", self.node), "cluster": (kind, "cluster")}


# What a slot is taken for: a clone at its place, or another task on a node.
Slot = Place | str


@dataclass
class Slots:
    """What is under way now. It is counted anew each time, so nothing that was lost keeps a slot."""

    limits: Limits
    _clones: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _tasks: Counter[str] = field(default_factory=Counter)

    def recount(self, clones: Iterable[Place], tasks: Iterable[str]) -> None:
        """`tasks` are the nodes of the other tasks, one for each."""
        self._clones = Counter(counter for place in clones for counter in place.counters.values())
        self._tasks = Counter(tasks)

    def take(self, slot: Slot) -> bool:
        """Whether another one may begin there. If so it is counted."""
        if not self.has_room(slot):
            return False
        if isinstance(slot, Place):
            self._clones.update(slot.counters.values())
        else:
            self._tasks[slot] += 1
        return True

    def has_room(self, slot: Slot) -> bool:
        if isinstance(slot, Place):
            most = self.limits.of_clones(full=slot.full)
            return all(self._clones[counter] < most[name] for name, counter in slot.counters.items())
        return self._tasks[slot] < self.limits.tasks_per_node

    def clones_on(self, place: Place) -> int:
        """How many clones are under way on the node of this place."""
        return self._clones[place.counters["node"]]
