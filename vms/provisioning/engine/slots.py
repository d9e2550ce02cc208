"""How many clones are under way at once, by storage, node and cluster; and how many other tasks, by node."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

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

    @property
    def counters(self) -> dict[str, tuple[str, ...]]:
        kind = "full" if self.full else "linked"
        storage = (kind, "storage", self.storage) if self.shared else (kind, "storage", self.node, self.storage)
        return {"storage": storage, "node": (kind, "node", self.node), "cluster": (kind, "cluster")}


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

    def take_clone(self, place: Place) -> bool:
        """Whether another clone may begin there. If so it is counted."""
        most = self.limits.of_clones(full=place.full)
        counters = place.counters
        if any(self._clones[counters[name]] >= most[name] for name in counters):
            return False
        self._clones.update(counters.values())
        return True

    def take_task(self, node: str) -> bool:
        if self._tasks[node] >= self.limits.tasks_per_node:
            return False
        self._tasks[node] += 1
        return True
