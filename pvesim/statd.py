"""What the cluster knows of its guests: a copy, made every few seconds, of what their nodes know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from pvesim.guests import STEADY, Guest
from pvesim.timeline import Timeline

# A node which is gone for longer takes the numbers of its guests with it.
MEMORY = 300.0


@dataclass(frozen=True)
class GuestStats:
    """The state of a guest as of some moment."""

    name: str
    status: str
    template: bool
    uptime: int
    cpu: float
    maxcpu: int
    mem: int
    maxmem: int
    disk: int
    maxdisk: int
    netin: int
    netout: int
    diskread: int
    diskwrite: int

    @classmethod
    def of(cls, guest: Guest) -> GuestStats:
        status = guest.status
        if status == "stopped":
            sizes = (0, 0, guest.maxcpu, 0, guest.maxmem, 0, guest.maxdisk)
            return cls(guest.name, status, guest.template, *sizes, 0, 0, 0, 0)
        uptime = guest.uptime
        return cls(
            guest.name,
            status,
            guest.template,
            uptime,
            guest.cpu,
            guest.maxcpu,
            guest.mem,
            guest.maxmem,
            guest.maxdisk // 4 if guest.kind == "lxc" else 0,
            guest.maxdisk,
            guest.traffic("netin", 2000, uptime),
            guest.traffic("netout", 1000, uptime),
            guest.traffic("diskread", 5000, uptime),
            guest.traffic("diskwrite", 3000, uptime),
        )


class Statd:
    """Publishes figures at every tick; with an interval of zero it is always up to date."""

    def __init__(self, timeline: Timeline, interval: float) -> None:
        self.timeline = timeline
        self.interval = interval
        self.guests: dict[int, Guest] = {}
        self._began = timeline.now()
        self._ticks = 0
        self.guests_per_vmid: Counter[int] = Counter()  # how many guests each number has had
        self._published: dict[int, GuestStats] = {}
        self._late: dict[int, tuple[GuestStats, float]] = {}
        self._frozen: dict[int, GuestStats] = {}
        self._memory: Counter[str] = Counter()
        self._added_up: tuple[int, int] | None = None
        timeline.watch(self._tick)

    @property
    def ticks(self) -> int:
        return self._ticks

    def stats(self, guest: Guest, unseen_since: float | None = None) -> GuestStats | None:
        """What the cluster believes of the guest; None when it knows nothing. Of a lost node it knows what it knew."""
        if unseen_since is not None:
            return self._frozen.get(guest.vmid) if self.knows(unseen_since) else None
        late, until = self._late.get(guest.vmid, (None, 0.0))
        if late and self.timeline.now() < until:
            return late
        if not self.interval:
            return GuestStats.of(guest)
        return self._published.get(guest.vmid)

    def knows(self, unseen_since: float | None) -> bool:
        return unseen_since is None or self.timeline.now() - unseen_since <= MEMORY

    def memory_by_node(self) -> Mapping[str, int]:
        """What the guests of each node use now; added up once for all nodes."""
        state = (self.timeline.generation, int(self.timeline.now()) // STEADY)
        if state != self._added_up:
            self._added_up, self._memory = state, Counter()
            for guest in self.guests.values():
                self._memory[guest.node] += guest.mem
        return self._memory

    def publish(self, guests: Iterable[Guest]) -> None:
        for guest in guests:
            self._published[guest.vmid] = GuestStats.of(guest)
        self.timeline.touch()

    def freeze(self, nodes: Container[str]) -> None:
        """Remember what is known of the guests on these nodes; somebody will hear nothing more of them."""
        for guest in self.guests.values():
            stats = self.stats(guest)
            if guest.node in nodes and stats is not None:
                self._frozen[guest.vmid] = stats

    def lag(self, vmid: int, seconds: float) -> None:
        """For so long, say of whatever has this number what is true of it now."""
        self._late[vmid] = (GuestStats.of(self.guests[vmid]), self.timeline.now() + seconds)
        self.timeline.touch()

    def catch_up(self, vmid: int) -> None:
        self._late.pop(vmid, None)
        self.timeline.touch()

    def forget(self, vmid: int) -> None:
        self._published.pop(vmid, None)
        self._frozen.pop(vmid, None)
        self.timeline.touch()

    def _tick(self, moment: float) -> None:
        if not self.interval:
            return
        ticks = int((moment - self._began) // self.interval)
        if ticks > self._ticks:
            self._ticks = ticks
            self.publish(self.guests.values())
