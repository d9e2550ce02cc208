"""The simulator: clusters, their ports, and the thread in which they are served."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from pvesim.clock import Clock, RealClock
from pvesim.cluster import HOST, Cluster
from pvesim.door import Door
from pvesim.nodes import Node
from pvesim.power import Durations
from pvesim.releases import NEWEST
from pvesim.server import Server
from pvesim.timeline import Timeline

# More than wait in the queue of a port that has none.
QUEUE = 4


class Simulator:
    """Use it as a context manager, or call `start()` and `stop()`."""

    def __init__(self, clock: Clock | None = None, seed: int = 1) -> None:
        self.clock = clock or RealClock()
        self.seed = seed
        self.clusters: dict[str, Cluster] = {}
        self._lock = threading.RLock()
        self._doors: dict[Node, Door] = {}
        self._reserved: dict[Node, socket.socket] = {}
        self._knocking: dict[Node, list[socket.socket]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        if self._loop is not None:
            return
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pvesim", daemon=True)
        self._thread.start()
        for cluster in self.clusters.values():
            cluster.start()

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        for node in list(self._doors):
            self.close(node)
        for node in list(self._reserved):
            self._give_back(node)
        self._run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def add_cluster(
        self,
        name: str,
        nodes: Sequence[str] = ("pve1",),
        *,
        standalone: bool = False,
        first_port: int = 0,
        statd_interval: float = 10.0,
        unauthorized_delay: float = 0.0,
        agent_delay: float = 0.0,
        console_delay: float = 0.0,
        durations: Durations | None = None,
        release: str = NEWEST,
    ) -> Cluster:
        """`release` is what the cluster passes for: 7.4, 8.4 or 9.2."""
        cluster = self.clusters[name] = Cluster(
            name,
            nodes,
            ports=self,
            timeline=Timeline(self.clock, self._lock),
            seed=self.seed,
            standalone=standalone,
            first_port=first_port,
            statd_interval=statd_interval,
            unauthorized_delay=unauthorized_delay,
            agent_delay=agent_delay,
            console_delay=console_delay,
            durations=durations,
            release=release,
        )
        if self._loop is not None:
            cluster.start()
        return cluster

    def remove_cluster(self, name: str) -> None:
        """Take a cluster away for good, with its ports."""
        cluster = self.clusters.pop(name)
        cluster.stop()
        for node in [node for node in self._reserved if node in cluster.nodes.values()]:
            self._give_back(node)

    def open(self, cluster: Cluster, node: Node) -> None:
        """Open the port of a node: a free one at first, and always that one later."""
        if self._loop is None or node in self._doors:
            return
        if node in self._knocking:
            self._give_back(node)
        listener = self._reserved.pop(node, None) or _bind(node.port)
        node.port = listener.getsockname()[1]
        door = self._doors[node] = Door(Server(cluster, node), listener)
        self._run(door.open())

    def close(self, node: Node) -> None:
        door = self._doors.pop(node, None)
        if door is not None:
            self._run(door.close())
            # A bound socket which nobody listens on refuses connections and keeps the port from others.
            self._reserved[node] = _bind(node.port)

    def silence(self, node: Node) -> None:
        """Let nobody in and turn nobody away: a port whose queue is full drops whatever knocks."""
        self.close(node)
        full = self._reserved[node]
        full.listen(0)
        for _ in range(QUEUE):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex(full.getsockname())
            self._knocking.setdefault(node, []).append(knocking)

    def _give_back(self, node: Node) -> None:
        for held in (*self._knocking.pop(node, ()), self._reserved.pop(node)):
            held.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((HOST, port))
    return listener
