"""When each machine of a lesson has to be started, so that the last one is ready at the bell. Pure functions.

Nodes start only so many machines at a time. Backwards from the bell, the machine that boots fastest goes next to it: so
machines wait for the lesson as short a time as their nodes allow. The schedule is made anew at every look, from what
has become of the starts so far.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

# A machine of which no start was seen is taken to need so long: few need longer, and to wait once costs little.
DEFAULT_BOOT = timedelta(seconds=90)

# Starts that are measured for each machine; the oldest is forgotten.
MEASURED_STARTS = 3

# The worker looks this often. A start whose time, or whose place on the node, comes before the next look is requested
# now; operations that find no room wait for their turn.
LOOK_EVERY = timedelta(seconds=5)

# Machines are to be ready so long before the bell, and longer where many starts wait for each other on one node.
MARGIN = timedelta(seconds=22)
MARGIN_OF_WAIT = 0.03

Node = tuple[str, str]  # cluster and name


@dataclass(frozen=True, slots=True)
class Waiting:
    """A machine that is off and is to be ready at the bell. `boot` is how long its start takes."""

    machine: int
    node: Node
    boot: timedelta
    bell: datetime


@dataclass(frozen=True, slots=True)
class Booting:
    """A machine whose start was requested, and when it is expected to be ready."""

    node: Node
    ready_at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How many machines may start at once on a node and on a cluster, with the same for all that are not named."""

    node: int
    cluster: int
    nodes_of: Mapping[str, int]
    clusters: Mapping[str, int]

    def of_node(self, node: Node) -> int:
        return max(1, self.nodes_of.get(node[0], self.node))

    def of_cluster(self, cluster: str) -> int:
        return max(1, self.clusters.get(cluster, self.cluster))


@dataclass(frozen=True, slots=True)
class Start:
    """The latest time to start a machine, and when it is ready then."""

    machine: int
    node: Node
    at: datetime
    ready_at: datetime


def expected_boot(seconds: Sequence[float]) -> timedelta:
    """From the last measured starts of the machine, in seconds."""
    return timedelta(seconds=fmean(seconds[-MEASURED_STARTS:])) if seconds else DEFAULT_BOOT


def plan(waiting: Iterable[Waiting], limits: Limits) -> list[Start]:
    """The latest start of each machine, the earliest first. It may lie in the past: the machine will be late."""
    waiting = list(waiting)
    margins = _margins(waiting, limits)
    places = _Places({one.node for one in waiting}, limits)
    starts = []
    for one in sorted(waiting, key=lambda one: (-one.bell.timestamp(), one.boot, one.machine)):
        began, ready = places.take(one, one.bell.timestamp() - margins[one.node])
        at, ready_at = (datetime.fromtimestamp(seconds, one.bell.tzinfo) for seconds in (began, ready))
        starts.append(Start(one.machine, one.node, at, ready_at))
    return sorted(starts, key=lambda start: (start.at, start.machine))


class _Places:
    """The places of nodes and clusters for starts, filled backwards: each is free before the start that it has.

    A cluster counts where it starts fewer machines at once than its nodes would.
    """

    def __init__(self, nodes: Iterable[Node], limits: Limits) -> None:
        room: dict[Node | str, int] = {}
        of_nodes: Counter[str] = Counter()
        for node in nodes:
            room[node] = limits.of_node(node)
            of_nodes[node[0]] += room[node]
        room |= {name: limits.of_cluster(name) for name in of_nodes if limits.of_cluster(name) < of_nodes[name]}
        # Negated times, for the heap: the first entry is the place that is free the latest.
        self._heaps = {name: [float("-inf")] * count for name, count in room.items()}

    def take(self, one: Waiting, bell: float) -> tuple[float, float]:
        """The beginning of this start and its end, both the latest possible before the bell, in seconds."""
        heaps = [self._heaps[name] for name in (one.node, one.node[0]) if name in self._heaps]
        ready = min(bell, *(-heap[0] for heap in heaps))
        began = ready - one.boot.total_seconds()
        for heap in heaps:
            heapq.heapreplace(heap, -began)
        return began, ready


def _margins(waiting: Iterable[Waiting], limits: Limits) -> dict[Node, float]:
    """Seconds by node: estimates of starts that follow each other add up their errors."""
    load: dict[Node, float] = {}
    for one in waiting:
        load[one.node] = load.get(one.node, 0.0) + one.boot.total_seconds()
    base = MARGIN.total_seconds()
    return {node: base + MARGIN_OF_WAIT * seconds / limits.of_node(node) for node, seconds in load.items()}


def due(starts: Iterable[Start], booting: Iterable[Booting], limits: Limits, now: datetime) -> list[Start]:
    """The starts to request now: those whose time comes before the next look, if their nodes have room by then."""
    soon = now + LOOK_EVERY
    busy: Counter[Node | str] = Counter()
    for one in booting:
        if one.ready_at > soon:
            busy.update((one.node, one.node[0]))
    found = []
    for start in starts:
        if start.at > soon:
            break
        node, cluster = start.node, start.node[0]
        if busy[node] < limits.of_node(node) and busy[cluster] < limits.of_cluster(cluster):
            busy.update((node, cluster))
            found.append(start)
    return found
