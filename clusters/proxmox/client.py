"""What the portal asks of a cluster, as typed verbs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from proxmoxer.core import ProxmoxResource, ResourceException

from clusters.config import ClusterConfig
from clusters.proxmox import errors, results
from clusters.proxmox.answers import Serializer
from clusters.proxmox.results import Power, parse_upid
from clusters.proxmox.session import Session
from clusters.proxmox.values import kind_part, node_part, vmid_part

DEADLINE = 10.0


@contextmanager
def connect(config: ClusterConfig, *, deadline: float = DEADLINE) -> "Iterator[Client]":
    """A client of this cluster, for one thread. Nothing is sent before its first call.

    The deadline, in seconds, is for each call in total: connecting, TLS, login, headers and body.
    """
    with Session(config, deadline=deadline) as session:
        yield Client(session)


class Client:
    """Every verb is one request, and raises a `ProxmoxError` of whatever kind fits."""

    def __init__(self, session: Session) -> None:
        self._api = ProxmoxResource(base_url=session.base_url, session=session, serializer=Serializer())

    def version(self) -> results.Version:
        return results.version(self._get("version"))

    def cluster_status(self) -> results.ClusterStatus:
        """Needs Sys.Audit on /."""
        return results.cluster_status(self._get("cluster", "status"))

    def resources(self) -> results.Resources:
        """All guests that this account may see, and all nodes; up to ten seconds old."""
        return results.resources(self._get("cluster", "resources"))

    def guest_status(self, node: str, kind: str, vmid: int) -> results.GuestStatus:
        """The state of a guest at this moment, asked of its node."""
        return results.guest_status(self._get(*_guest(node, kind, vmid), "status", "current", node=node))

    def power(self, node: str, kind: str, vmid: int, action: Power) -> str:
        """Begin a power action; returns its task's UPID. Sent once: after an error with `sent`, nobody knows."""
        parts = (*_guest(node, kind, vmid), "status", Power(action).value)
        upid = self._call("post", *parts, node=node)
        try:
            parse_upid(upid, sent=True)
        except errors.BadAnswer as error:
            raise error.of_a_change() from None
        return str(upid)

    def task_status(self, upid: str) -> results.TaskStatus:
        node = parse_upid(upid).node
        return results.task_status(self._get("nodes", node, "tasks", quote(upid, safe=""), "status", node=node))

    def task_log(self, upid: str, *, limit: int = 50) -> tuple[str, ...]:
        """The first lines of what the task wrote, at most 1000."""
        node = parse_upid(upid).node
        path = ("nodes", node, "tasks", quote(upid, safe=""), "log")
        return results.task_log(self._get(*path, node=node, start=0, limit=max(1, min(limit, 1000))))

    def permissions(self) -> dict[str, frozenset[str]]:
        """The privileges of this account, by path."""
        return results.permissions(self._get("access", "permissions"))

    def _get(self, *path: str, node: str = "", **query: int) -> Any:
        return self._call("get", *path, node=node, **query)

    def _call(self, verb: str, *path: str, node: str = "", **values: int) -> Any:
        """`node` is the one that the cluster passes the call on to."""
        try:
            return getattr(self._api(path), verb)(**values)
        except ResourceException as refusal:
            error = errors.from_status(
                refusal.status_code, reason=refusal.content, errors=refusal.errors or {}, node=node
            )
        except errors.ProxmoxError as failure:
            # The frames below hold headers and forms, and error pages show what frames hold.
            error = failure.with_traceback(None)
            error.__context__ = None
        raise error if verb == "get" else error.of_a_change()


def diagnose(config: ClusterConfig, *, deadline: float = DEADLINE) -> results.Diagnosis:
    """Whether the portal can work with this cluster: raises the `ProxmoxError` that says why not."""
    began = time.monotonic()
    with connect(config, deadline=deadline) as pve:
        version = pve.version().version
        try:
            status = pve.cluster_status()
            nodes, quorate = status.nodes, status.quorate
        except errors.Forbidden:
            nodes, quorate = pve.resources().nodes, None
    return results.Diagnosis(version, tuple(node.name for node in nodes), quorate, time.monotonic() - began)


def _guest(node: str, kind: str, vmid: int) -> tuple[str, ...]:
    return ("nodes", node_part(node), kind_part(kind), vmid_part(vmid))
