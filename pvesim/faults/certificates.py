"""What a node shows of itself before the first request."""

from __future__ import annotations

from pvesim.faults.base import ClusterFaults
from pvesim.nodes import Node
from pvesim.tickets import new_key
from pvesim.tls import Authority, Certificate

OTHER_CLUSTER = "stranger"


class CertificateFaults(ClusterFaults):
    """Where no node is named, all are meant. Open connections stay as they are."""

    def certificate_renewed(self, node: str = "") -> None:
        """Another key of the same authority: a pinned fingerprint fits no more."""
        for name in self._names(node):
            self._present(name, self._cluster.authority.issue(name))

    def certificate_expired(self, node: str = "") -> None:
        for name in self._names(node):
            self._present(name, self._cluster.authority.issue(name, is_over=True))

    def certificate_for_another_name(self, node: str = "") -> None:
        """It names neither the node nor any of its addresses."""
        for name in self._names(node):
            self._present(name, self._cluster.authority.issue(name, names=["elsewhere.invalid"]))

    def certificate_of_another_authority(self, node: str = "") -> None:
        """Right in all but its issuer, which has the same name as the true one."""
        for name in self._names(node):
            self._present(name, Authority(OTHER_CLUSTER).issue(name))

    def tls_too_old(self, node: str = "") -> None:
        """The port speaks TLS 1.0 and nothing newer."""
        for name in self._names(node):
            self._change(self._cluster.nodes[name], port_behaviour="tls-1.0")

    def identity_changed(self, name: str = OTHER_CLUSTER) -> None:
        """The addresses belong to another cluster now: another name, authority and signing key, the same accounts."""
        cluster, authority = self._cluster, Authority(OTHER_CLUSTER)
        self._change(cluster, name=name, authority=authority)
        self._change(cluster.tickets, key=new_key(name))
        for node in cluster.nodes:
            self._present(node, authority.issue(node))
        if cluster.standalone:
            self._rename_only_node(name)

    def _rename_only_node(self, name: str) -> None:
        """A node without a cluster is known by its own name."""
        [node] = self._cluster.nodes.values()
        guests = [guest for guest in self._cluster.guests if guest.node == node.name]
        self._change(node, name=name)
        self._change(self._cluster, nodes={name: node})
        for guest in guests:
            self._change(guest, node=name)

    def _present(self, name: str, certificate: Certificate) -> None:
        node: Node = self._cluster.nodes[name]
        former = node.certificate
        node.present(certificate)
        self._undo.append(lambda: node.present(former))
