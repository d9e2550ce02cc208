"""Nodes, their daemons, and what they think of each other."""

from __future__ import annotations

from contextlib import suppress

from pvesim.errors import ApiError
from pvesim.faults.base import ClusterFaults
from pvesim.nodes import Frozen, GatewayError, Node

TIMEOUT = 30.0


class NodeFaults(ClusterFaults):
    """Where no node is named, the last one is meant."""

    def node_down(self, node: str = "", reason: str = "No route to host", timeout: float = 0.0) -> None:
        """The node is gone: its port refuses, the others answer 595 for it after `timeout` seconds."""
        name = self._last(node)
        self._cluster.stop_node(name, reason, timeout)
        self._undo.append(lambda: self._cluster.start_node(name))

    def node_unreachable(self, node: str = "", reason: str = "Connection timed out", timeout: float = 0.0) -> None:
        """The other nodes do not reach it, but its own port answers."""
        name = self._last(node)
        self._cluster.disconnect_node(name, reason, timeout)
        self._undo.append(lambda: self._cluster.reconnect_node(name))

    def proxy_down(self, node: str = "") -> None:
        """The node runs, but nothing listens on its port: 595 Connection refused through the others."""
        name = self._last(node)
        self._cluster.close_port(name)
        self._undo.append(lambda: self._cluster.open_port(name))
        self._change(self._cluster.nodes[name], gateway_error=GatewayError(595, "Connection refused"))

    def proxy_hangs(self, node: str = "", timeout: float = TIMEOUT) -> None:
        """The node accepts what others pass on to it, and never answers: 596 after `timeout` seconds."""
        self._set_gateway_error(node, GatewayError(596, "Connection timed out", timeout))

    def peer_untrusted(self, node: str = "") -> None:
        """The other nodes do not trust the certificate of this one: 596."""
        self._set_gateway_error(node, GatewayError(596, "tls_process_server_certificate: certificate verify failed"))

    def daemon_down(self, node: str = "") -> None:
        """Protected calls and logins at the node: 595 Connection refused. Other calls work."""
        self._change(self._cluster.nodes[self._last(node)], daemon_error=GatewayError(595, "Connection refused"))

    def daemon_hangs(self, node: str = "", timeout: float = TIMEOUT) -> None:
        """Protected calls and logins at the node: 596 after `timeout` seconds."""
        gateway_error = GatewayError(596, "Connection timed out", timeout)
        self._change(self._cluster.nodes[self._last(node)], daemon_error=gateway_error)

    def daemon_frozen(self, node: str = "", timeout: float = TIMEOUT) -> None:
        """Protected calls: 596 after `timeout` seconds. With `undo()` the daemon thaws, and does what it had read."""
        target = self._cluster.nodes[self._last(node)]
        target.frozen = Frozen(timeout)
        self._undo.append(lambda: self._thaw(target))

    def pmxcfs_down(self, node: str = "") -> None:
        """The cluster's file system is gone at the node: every call there is a 500 without a body, logins too."""
        self._change(self._cluster.nodes[self._last(node)], pmxcfs_down=True)

    def resolver_down(self) -> None:
        """The resolver, which is asked for the names of unknown nodes, fails for the moment."""
        self._change(self._cluster, resolver_error="Temporary failure in name resolution")

    def port_unresponsive(self, node: str = "") -> None:
        """The port accepts connections and sends nothing, not even a TLS handshake."""
        self._change(self._cluster.nodes[self._last(node)], port_behaviour="unresponsive")

    def port_filtered(self, node: str = "") -> None:
        """The port drops connection attempts, as behind a firewall; the other nodes reach it."""
        name = self._last(node)
        self._cluster.filter_port(name)
        self._undo.append(lambda: self._cluster.open_port(name))

    def port_closing(self, node: str = "") -> None:
        """The port closes every connection at once, as a list of allowed addresses makes it."""
        self._change(self._cluster.nodes[self._last(node)], port_behaviour="closing")

    def quorum_lost(self) -> None:
        """Every node is alone: reads and logins work, nothing can be started or changed."""
        self._cluster.lose_quorum()
        self._undo.append(self._cluster.heal)

    def split_brain(self, node: str = "") -> None:
        """The node and the rest do not see each other, and answer differently."""
        name = self._last(node)
        self._cluster.split({name}, self._cluster.nodes.keys() - {name})
        self._undo.append(self._cluster.heal)

    def _thaw(self, node: Node) -> None:
        frozen, node.frozen = node.frozen, None
        with self._cluster.timeline.lock:
            self._cluster.timeline.settle()
            for work in frozen.work if frozen else ():
                with suppress(ApiError):
                    work()

    def _set_gateway_error(self, node: str, gateway_error: GatewayError) -> None:
        self._change(self._cluster.nodes[self._last(node)], gateway_error=gateway_error)
