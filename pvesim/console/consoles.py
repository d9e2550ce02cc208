"""The ports of a cluster behind which displays wait for a connection, and the connections that there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from pvesim.acl import Identity
from pvesim.console.screen import Size, View
from pvesim.errors import TaskError, failed
from pvesim.guests import Guest
from pvesim.outages import OutageMixin
from pvesim.tasks import Steps, Task, Tasks

PORTS = range(5900, 6000)
# So many seconds a port waits for its only connection.
TIMEOUT = 10.0
DAY = 86400.0


class Connection(Protocol):
    """An open console."""

    listener: Listener

    def drop(self) -> None: ...


@dataclass(eq=False)
class Listener:
    """A port of one node, for one connection to one guest. `plain`: without TLS of its own."""

    node: str
    port: int
    guest: Guest
    password: str = field(repr=False)
    size: Size | None = None
    plain: bool = True
    is_taken: bool = False
    task: Task | None = None

    def __post_init__(self) -> None:
        self.place, self.life = self.guest.node, self.guest.ended


class Consoles:
    """What stands here in the second place makes every console of the cluster misbehave, for tests."""

    def __init__(self, cluster_name: str, cluster: OutageMixin, tasks: Tasks) -> None:
        self._cluster_name, self._cluster, self._tasks = cluster_name, cluster, tasks
        self._listeners: dict[tuple[str, int], Listener] = {}
        self.connections: list[Connection] = []
        self.opened: Counter[int] = Counter()
        # Nothing is said any more; no password is right; so many bytes a second; a frame of so many bytes.
        self.is_stalled = False
        self.rejects_passwords = False
        self.pace: float | None = None
        self.oversized = 0

    def listen(
        self, node: str, guest: Guest, identity: Identity, *, plain: bool = True, size: Size | None = None
    ) -> Listener:
        """A port, and the task which keeps it; the password is still to be set."""
        port = next((port for port in PORTS if (node, port) not in self._listeners), None)
        if port is None:
            raise failed("unable to find free port (5900-6000)")
        listener = self._listeners[node, port] = Listener(node, port, guest, "", size, plain)

        def work(task: Task) -> Steps:
            try:
                yield TIMEOUT
                if not listener.is_taken:
                    raise TaskError("connection timed out")
                while True:
                    yield DAY
            finally:
                self._listeners.pop((node, port), None)

        listener.task = self._tasks.start(node, "vncproxy", str(guest.vmid), identity, work)
        return listener

    def take(self, node: str, port: int) -> Listener | None:
        """The display behind a port, for the one who comes first."""
        listener = self._listeners.get((node, port))
        if listener is None or listener.is_taken:
            return None
        listener.is_taken = True
        return listener

    def end(self, listener: Listener) -> None:
        """The connection is over, and with it the task."""
        with self._cluster.timeline.lock:
            self._cluster.timeline.settle()
            self._listeners.pop((listener.node, listener.port), None)
            if listener.task is not None:
                self._tasks.abort(listener.task, "OK")

    def is_alive(self, listener: Listener) -> bool:
        """Whether there is a display: the guest is still the same, in the same life, and within reach."""
        cluster, guest = self._cluster, listener.guest
        with cluster.timeline.lock:
            is_same = cluster.statd.guests.get(guest.vmid) is guest and guest.is_up and guest.ended == listener.life
            is_working = listener.task is not None and listener.task.is_running
            is_near = cluster.sees(cluster.nodes[listener.node], cluster.nodes[guest.node])
            return is_same and is_working and is_near and guest.node == listener.place

    def view(self, listener: Listener) -> View:
        guest, timeline = listener.guest, self._cluster.timeline
        kind = "VM" if guest.kind == "qemu" else "CT"
        return View(
            name=guest.name,
            place=f"{kind} {guest.vmid} on {guest.node}, {self._cluster_name}",
            status=guest.status,
            second=int(timeline.clock.now()),
            text=guest.screen.text,
            pointer=guest.screen.pointer,
            size=listener.size or guest.resolution,
        )

    def count(self, vmid: int | None = None) -> int:
        return sum(vmid in (None, one.listener.guest.vmid) for one in list(self.connections))

    def drop(self, vmid: int | None = None) -> None:
        for one in list(self.connections):
            if vmid in (None, one.listener.guest.vmid):
                one.drop()
