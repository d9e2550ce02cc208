"""The client: calls that change something, and the context managers that open one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from clusters.config import ClusterConfig
from clusters.proxmox import errors, results, vnc
from clusters.proxmox.calls import guest_path
from clusters.proxmox.maker import Maker
from clusters.proxmox.reader import Reader
from clusters.proxmox.results import Power
from clusters.proxmox.results.coercion import snapshot_part
from clusters.proxmox.session import LoginThrottle
from clusters.proxmox.session_pool import session_pool

DEADLINE = 10.0

# Seconds; see `Transport.change_within`.
REUSED_FOR_CHANGES = 4.0


class Client(Reader):
    """A change is sent once. It raises `OutcomeUnknown` when nobody knows whether it was carried out.

    Those that return a UPID have only begun a task, whose status tells how it ends.
    """

    def power(self, node: str, kind: str, vmid: int, action: Power) -> str:
        """Begin a power action; returns its task's UPID."""
        return self._begin("post", *guest_path(node, kind, vmid), "status", Power(action).value, node=node)

    def stop_at_once(self, node: str, kind: str, vmid: int) -> str:
        """Pull the plug, also while the guest shuts down; returns the task's UPID. Since Proxmox VE 8.2, without HA."""
        return self._begin(
            "post", *guest_path(node, kind, vmid), "status", "stop", node=node, **{"overrule-shutdown": 1}
        )

    def create_snapshot(
        self, node: str, kind: str, vmid: int, name: str, *, description: str = "", with_memory: bool = False
    ) -> str:
        """Returns the task's UPID. Memory is of machines only; a container that is asked for it raises."""
        values: dict[str, str | int] = {"snapname": snapshot_part(name)}
        if description:
            values["description"] = description
        if with_memory:
            values["vmstate"] = 1
        return self._begin("post", *guest_path(node, kind, vmid), "snapshot", node=node, **values)

    def roll_back(self, node: str, kind: str, vmid: int, name: str, *, start: bool = False) -> str:
        """Returns the task's UPID. A running guest is stopped, and stays so unless `start`."""
        values = {"start": 1} if start else {}
        path = (*guest_path(node, kind, vmid), "snapshot", snapshot_part(name), "rollback")
        return self._begin("post", *path, node=node, **values)

    def delete_snapshot(self, node: str, kind: str, vmid: int, name: str) -> str:
        """Returns the task's UPID."""
        return self._begin("delete", *guest_path(node, kind, vmid), "snapshot", snapshot_part(name), node=node)

    def vnc_proxy(self, node: str, kind: str, vmid: int) -> results.Console:
        """Open a console's port, for ten seconds and one websocket to the same endpoint. Needs VM.Console."""
        found = self._call("post", *guest_path(node, kind, vmid), "vncproxy", node="", websocket=1)
        try:
            return results.console(found, endpoint=self.endpoint)
        except errors.ProtocolError as error:
            raise errors.OutcomeUnknown(error) from None

    def console_endpoint(self, node: str, kind: str, vmid: int) -> vnc.ConsoleEndpoint:
        """A guest's console for `open_vnc`: at the endpoint that answered, with the same credential."""
        console = self.vnc_proxy(node, kind, vmid)
        query = urlencode({"port": console.port, "vncticket": console.ticket})
        return vnc.ConsoleEndpoint(
            config=self._session.config,
            address=self._session.endpoints.current.address,
            path=f"/api2/json/{'/'.join(guest_path(node, kind, vmid))}/vncwebsocket?{query}",
            headers=self._session.identity(),
            password=console.password,
        )

    def spice(self, node: str, kind: str, vmid: int) -> results.Spice:
        """Open a display for a SPICE viewer, for half a minute and one connection. Needs VM.Console."""
        proxy = self._session.endpoints.current.address.host
        path = (*guest_path(node, kind, vmid), "spiceproxy")
        found = self._call("post", *path, node=node, proxy=proxy)
        try:
            return results.spice(found)
        except errors.ProtocolError as error:
            raise errors.OutcomeUnknown(error) from None


@contextmanager
def connect(
    config: ClusterConfig,
    *,
    deadline: float = DEADLINE,
    throttle: LoginThrottle | None = None,
    change_within: float = 0.0,
) -> Iterator[Client]:
    """A client of this cluster, for one thread. Nothing is sent before its first call.

    The deadline, in seconds, is for each call in total: connecting, TLS, login, headers and body.
    The throttle, if there is one, decides whether the credential may be tried. For `change_within`, see `Transport`.
    """
    with session_pool.session(config, deadline=deadline, throttle=throttle) as session:
        session.change_within = change_within
        client = Client(session)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def read(
    config: ClusterConfig, *, deadline: float = DEADLINE, throttle: LoginThrottle | None = None
) -> Iterator[Reader]:
    """A connection that only reads: by the read-only token, if there is one."""
    with session_pool.session(config.for_reading, deadline=deadline, throttle=throttle) as session:
        reader = Reader(session)
        try:
            yield reader
        finally:
            reader.close()


@contextmanager
def make(
    config: ClusterConfig, *, deadline: float = DEADLINE, throttle: LoginThrottle | None = None
) -> Iterator[Maker]:
    """A connection that makes and removes machines. The configuration has the token for that in its credential."""
    with session_pool.session(config, deadline=deadline, throttle=throttle) as session:
        session.change_within = REUSED_FOR_CHANGES
        maker = Maker(session)
        try:
            yield maker
        finally:
            maker.close()


def forget(cluster_id: str) -> None:
    """Close the connections that are kept of this cluster, and forget its login."""
    session_pool.forget(cluster_id)


def diagnose(
    config: ClusterConfig, *, deadline: float = DEADLINE, throttle: LoginThrottle | None = None
) -> results.Diagnosis:
    """Whether the portal can work with this cluster: raises the `ProxmoxError` that says why not."""
    began = time.monotonic()
    with connect(config, deadline=deadline, throttle=throttle) as pve:
        version, status = pve.version().version, None
        try:
            status = pve.cluster_status()
            nodes, quorate = status.nodes, status.quorate
        except errors.PermissionMissing:
            nodes, quorate = pve.resources().nodes, None
    names = tuple(sorted(node.name for node in nodes))
    return results.Diagnosis(version, names, quorate, time.monotonic() - began, status)
