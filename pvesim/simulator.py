"""The simulator: clusters, their ports, and the thread in which they are served."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from pvesim.acceptor import Acceptor
from pvesim.clock import Clock, RealClock
from pvesim.cluster import HOST, Cluster, Options
from pvesim.nodes import Node
from pvesim.server import Server
from pvesim.timeline import Timeline

# More connections than fit into a backlog of length 0.
QUEUE = 4


class Simulator:
    """Use it as a context manager, or call `start()` and `stop()`."""

    def __init__(self, clock: Clock | None = None, seed: int = 1) -> None:
        self.clock = clock or RealClock()
        self.seed = seed
        self.clusters: dict[str, Cluster] = {}
        self._clusters_by_node: dict[Node, Cluster] = {}
        self._lock = threading.RLock()
        self._acceptors: dict[Node, Acceptor] = {}
        # What has stopped listening, and still has consoles open.
        self._closed: dict[Node, list[Acceptor]] = {}
        self._reserved: dict[Node, socket.socket] = {}
        self._backlog: dict[Node, list[socket.socket]] = {}
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
        for node in list(self._acceptors):
            self.close(node)
        for node in list(self._reserved):
            self._release(node)
        self._run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def add_cluster(self, name: str, nodes: Sequence[str] = ("pve1",), **options: Unpack[Options]) -> Cluster:
        timeline = Timeline(self.clock, self._lock)
        cluster = Cluster(name, nodes, ports=self, timeline=timeline, seed=self.seed, **options)
        self.clusters[name] = cluster
        self._clusters_by_node.update(dict.fromkeys(cluster.nodes.values(), cluster))
        if self._loop is not None:
            cluster.start()
        return cluster

    def remove_cluster(self, name: str) -> None:
        """Take a cluster away for good, with its ports."""
        cluster = self.clusters.pop(name)
        cluster.stop()
        for node in [node for node in self._reserved if node in cluster.nodes.values()]:
            self._release(node)

    def open(self, node: Node) -> None:
        """Open the port of a node: a free one at first, and always that one later."""
        if self._loop is None or node in self._acceptors:
            return
        if node in self._backlog:
            self._release(node)
        listener = self._reserved.pop(node, None) or _bind(node.port)
        node.port = listener.getsockname()[1]
        acceptor = self._acceptors[node] = Acceptor(Server(self._clusters_by_node[node], node), listener)
        self._run(acceptor.open())

    def close(self, node: Node, *, keep_consoles: bool = False) -> None:
        acceptor = self._acceptors.pop(node, None)
        if not keep_consoles:
            for former in self._closed.pop(node, ()):
                self._run(former.close())
        if acceptor is not None:
            # A bound socket without a listener refuses connections and keeps the port from other programs.
            self._reserved[node] = _bind(node.port)
            self._run(acceptor.close(keep_consoles=keep_consoles))
            self._closed.setdefault(node, []).extend([acceptor] if keep_consoles else [])

    def filter(self, node: Node) -> None:
        """Drop connection attempts, as a firewall does: a port whose backlog is full answers nothing."""
        self.close(node)
        full = self._reserved[node]
        full.listen(0)
        for _ in range(QUEUE):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
            self._backlog.setdefault(node, []).append(waiting)

    def _release(self, node: Node) -> None:
        for held in (*self._backlog.pop(node, ()), self._reserved.pop(node)):
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
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # beside the listener that is about to end
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((HOST, port))
    return listener
