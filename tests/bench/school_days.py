"""Random mornings of a school on a simulated clock: when machines are ready, and how long they wait for the bell."""

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from classes.timetable import bell

BELL = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
NODES, MACHINES_OF_NODE, AT_ONCE = 20, 30, 4
LIMITS = bell.Limits(AT_ONCE, NODES * AT_ONCE, {}, {})
FASTEST, SLOWEST, SPREAD = 20.0, 90.0, 0.1
EARLIEST = timedelta(minutes=15)

Seconds = float


@dataclass(slots=True)
class Machine:
    """`boot` is how long its start takes today, `expected` what its last three starts say."""

    node: bell.Node
    boot: timedelta
    expected: timedelta
    began: datetime | None = None

    @property
    def ready_at(self) -> datetime:
        return (self.began or BELL) + self.boot

    def is_booting(self, now: datetime) -> bool:
        return self.began is not None and self.ready_at > now


@dataclass
class Morning:
    """One bell of 20 lessons with 30 machines each. Nodes start four at once; what finds no room waits for its turn."""

    machines: dict[int, Machine]
    places: dict[bell.Node, list[datetime]] = field(default_factory=dict)

    @classmethod
    def drawn(cls, chance: random.Random) -> "Morning":
        drawn: dict[int, Machine] = {}
        for number in range(NODES * MACHINES_OF_NODE):
            mean = chance.uniform(FASTEST, SLOWEST)
            before = [_start(mean, chance) for _ in range(bell.MEASURED_STARTS)]
            boot = timedelta(seconds=_start(mean, chance))
            drawn[number] = Machine(("school", f"pve{number % NODES}"), boot, bell.expected_boot(before))
        return cls(drawn)

    def pass_by(self, *, worker_from: datetime = BELL - EARLIEST) -> None:
        """Node by node: none of them waits for another while the cluster has room for all."""
        nodes: dict[bell.Node, list[int]] = {}
        for number, one in self.machines.items():
            nodes.setdefault(one.node, []).append(number)
        for numbers in nodes.values():
            self._pass_by(numbers, worker_from)

    def _pass_by(self, numbers: list[int], now: datetime) -> None:
        """The worker's looks, planned anew after each one that started something: nothing else changes a plan."""
        while plan := bell.plan(self._waiting(numbers), LIMITS):
            while not (due := bell.due(plan, self._booting(numbers, now), LIMITS, now)):
                now += bell.LOOK_EVERY
            for start in due:
                self._start(self.machines[start.machine], now)
            now += bell.LOOK_EVERY

    def _waiting(self, numbers: list[int]) -> list[bell.Waiting]:
        off = ((number, self.machines[number]) for number in numbers if self.machines[number].began is None)
        return [bell.Waiting(number, one.node, one.expected, BELL) for number, one in off]

    def _booting(self, numbers: list[int], now: datetime) -> list[bell.Booting]:
        booting = (one for number in numbers if (one := self.machines[number]).is_booting(now))
        return [bell.Booting(one.node, (one.began or now) + one.expected) for one in booting]

    def _start(self, machine: Machine, now: datetime) -> None:
        places = self.places.setdefault(machine.node, [now - EARLIEST] * AT_ONCE)
        machine.began = max(now, places[0])
        heapq.heapreplace(places, machine.ready_at)

    @property
    def late(self) -> timedelta:
        """How long after the bell the last one is ready; negative when it is ready before."""
        return max(one.ready_at for one in self.machines.values()) - BELL

    @property
    def waited(self) -> Seconds:
        """How long the machines run before the bell, altogether."""
        return sum((BELL - (one.began or BELL)).total_seconds() for one in self.machines.values())

    @property
    def least(self) -> Seconds:
        """The same of a schedule that knows how long each start takes."""
        by_node: dict[bell.Node, list[Seconds]] = {}
        for one in self.machines.values():
            by_node.setdefault(one.node, []).append(one.boot.total_seconds())
        return sum(map(_least, by_node.values()))


def _start(mean: Seconds, chance: random.Random) -> Seconds:
    return mean * chance.uniform(1 - SPREAD, 1 + SPREAD)


def _least(boots: Iterable[Seconds]) -> Seconds:
    """Backwards from the bell, the fastest next to it."""
    places, total = [0.0] * AT_ONCE, 0.0
    for boot in sorted(boots):
        began = places[0] + boot
        heapq.heapreplace(places, began)
        total += began
    return total


def mornings(count: int, *, seed: int) -> list[Morning]:
    chance = random.Random(seed)  # noqa: S311 - the same days in every run
    drawn = [Morning.drawn(chance) for _ in range(count)]
    for morning in drawn:
        morning.pass_by()
    return drawn
