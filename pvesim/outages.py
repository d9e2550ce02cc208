"""Nodes come and go: ports, partitions, quorum."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from pvesim.nodes import GatewayError, Node
from pvesim.statd import Statd
from pvesim.timeline import Timeline


class Ports(Protocol):
    """Opens and closes the ports of nodes."""

    def open(self, node: Node) -> None: ...

    def close(self, node: Node, *, keep_consoles: bool = False) -> None: ...

    def filter(self, node: Node) -> None: ...


class OutageMixin:
    """The part of a cluster which knows which of its nodes is there for whom."""

    nodes: Mapping[str, Node]
    timeline: Timeline
    statd: Statd
    _ports: Ports
    _split_at: float | None = None
    _has_quorum: bool = True
    # Whether a quorum device votes, too, as clusters of two nodes have.
    has_quorum_device: bool = False

    def start(self) -> None:
        for name in self.nodes:
            self.start_node(name)

    def stop(self) -> None:
        for name in self.nodes:
            self.stop_node(name)

    def start_node(self, name: str) -> None:
        node = self.nodes[name]
        self.reconnect_node(name)
        self._ports.open(node)

    def stop_node(self, name: str, reason: str = "No route to host", timeout: float = 0.0) -> None:
        """Close the node's port; the others answer 595 with this reason, after this many seconds."""
        self.disconnect_node(name, reason, timeout)
        self._ports.close(self.nodes[name])

    def disconnect_node(self, name: str, reason: str = "No route to host", timeout: float = 0.0) -> None:
        """The other nodes do not reach this one any more; its own port stays open."""
        node = self.nodes[name]
        with self.timeline.lock:
            self.timeline.settle()
            self._freeze()
            node.online = False
            node.unreachable, node.timeout = reason, timeout
            node.silent_since = self.timeline.now()
            self.timeline.touch()

    def reconnect_node(self, name: str) -> None:
        """The other nodes reach this one again."""
        node = self.nodes[name]
        with self.timeline.lock:
            self.timeline.settle()
            node.online, node.silent_since = True, None
            self.timeline.touch()

    def split(self, *groups: Collection[str]) -> None:
        """Only nodes of the same group see each other; each part believes what it sees."""
        with self.timeline.lock:
            self.timeline.settle()
            self._freeze()
            self._split_at = self.timeline.now()
            for number, names in enumerate(groups, start=1):
                for name in names:
                    self.nodes[name].partition = number
            self.timeline.touch()

    def lose_quorum(self) -> None:
        """Every node is alone, and none of them may write."""
        self.split(*({name} for name in self.nodes))
        self._has_quorum = False

    def heal(self) -> None:
        """All nodes see each other again, except for those which are lost one by one."""
        with self.timeline.lock:
            self.timeline.settle()
            for node in self.nodes.values():
                node.partition = 0
            self._split_at, self._has_quorum = None, True
            self.timeline.touch()

    def set_gateway_error(self, name: str, gateway_error: GatewayError | None) -> None:
        """Other nodes get this answer for calls which they pass on to this node; None for an undisturbed one."""
        self.nodes[name].gateway_error = gateway_error

    def set_daemon_error(self, name: str, gateway_error: GatewayError | None) -> None:
        """Protected calls to the node, and logins there, get this answer."""
        self.nodes[name].daemon_error = gateway_error

    def is_quorate(self, entry_node: Node) -> bool:
        """Whether the asked node sees a majority of the votes."""
        votes = sum(self.sees(entry_node, node) for node in self.nodes.values())
        all_votes = len(self.nodes)
        if self.has_quorum_device:
            votes, all_votes = votes + self._has_device_vote(entry_node), all_votes + 1
        return self._has_quorum and votes * 2 > all_votes

    def _has_device_vote(self, entry_node: Node) -> bool:
        """The device votes for the larger part; of two equal ones, for that with the first node."""
        parts: dict[int, list[int]] = {}
        for node in self.nodes.values():
            if node.online:
                parts.setdefault(node.partition, []).append(node.number)
        favoured = max(parts, key=lambda part: (len(parts[part]), -min(parts[part])), default=None)
        return entry_node.online and entry_node.partition == favoured

    def sees(self, entry_node: Node, other: Node) -> bool:
        if entry_node is other:
            return True
        return entry_node.online and other.online and entry_node.partition == other.partition

    def unseen_since(self, entry_node: Node, other: Node) -> float | None:
        if self.sees(entry_node, other):
            return None
        moments = (entry_node.silent_since, other.silent_since, self._split_at)
        return min(moment for moment in moments if moment is not None)

    def close_port(self, name: str) -> None:
        """Consoles that are open live on."""
        self._ports.close(self.nodes[name], keep_consoles=True)

    def filter_port(self, name: str) -> None:
        self._ports.filter(self.nodes[name])

    def open_port(self, name: str) -> None:
        self._ports.open(self.nodes[name])

    def _freeze(self) -> None:
        already = {node.name for node in self.nodes.values() if node.silent_since is not None}
        self.statd.freeze(self.nodes.keys() - already)
