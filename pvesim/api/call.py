"""One call of the API, and the table of calls which there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pvesim.acl import ROOT, Identity
from pvesim.errors import ApiError, TaskError, failed, forbidden
from pvesim.guest_config import config_file
from pvesim.guests import Guest, Kind
from pvesim.nodes import Node
from pvesim.parameters import NODE, TEXT, VMID, Param, Params, Values, required
from pvesim.releases import Number, Release
from pvesim.state import ClusterState
from pvesim.tasks import Steps, Task

NOBODY = Identity("")
Json = dict[str, object]


@dataclass(frozen=True)
class Result:
    """Data with something beside it in the envelope; it may take its time, or be the way of a websocket to a port."""

    data: object
    extra: Mapping[str, object] = field(default_factory=dict)
    delay: float = 0.0
    tunnel: int | None = None


@dataclass(frozen=True)
class Call:
    """`asked` is the node which took the request, `node` the one which it is about."""

    cluster: ClusterState
    entry_node: Node
    identity: Identity
    values: Values

    @property
    def now(self) -> float:
        return self.cluster.timeline.now()

    @property
    def node(self) -> Node:
        return self.cluster.nodes[self.values["node"]]

    @cached_property
    def unseen_since(self) -> Mapping[str, float | None]:
        """Since when the asked node hears nothing of each node; None for those of which it does."""
        nodes = self.cluster.nodes
        return {name: self.cluster.unseen_since(self.entry_node, node) for name, node in nodes.items()}

    def may(self, path: str, *privileges: str) -> bool:
        return self.cluster.access.allows(self.identity, path, *privileges)

    def require(self, path: str, *privileges: str) -> None:
        if not self.may(path, *privileges):
            raise forbidden(f"{path}, {'|'.join(privileges)}")

    def guest(self, kind: Kind) -> Guest:
        vmid = self.values["vmid"]
        guest = self.cluster.statd.guests.get(vmid)
        if guest is None or guest.kind != kind or guest.node != self.node.name:
            raise failed(f"Configuration file '{config_file(self.node.name, kind, vmid)}' does not exist")
        return guest

    def require_quorum(self) -> None:
        if not self.cluster.is_quorate(self.node):
            raise failed("cluster not ready - no quorum?")

    def writing(self, guest: Guest, work: Callable[[Task], Steps]) -> Callable[[Task], Steps]:
        """Work which writes the guest's configuration, and fails where nothing can be written."""

        def guarded(task: Task) -> Steps:
            if not self.cluster.is_quorate(self.node):
                raise TaskError(read_only(guest, task.pid))
            yield from work(task)

        return guarded

    def start_task(self, kind: str, subject: str, work: Callable[[Task], Steps]) -> str:
        return self.cluster.tasks.start(self.node.name, kind, subject, self.identity, work).upid


def read_only(guest: Guest, pid: int) -> str:
    """What the writer of a configuration is told by a cluster without quorum."""
    path = f"/etc/pve/{config_file(guest.node, guest.kind, guest.vmid)}.tmp.{pid}"
    return f"unable to open file '{path}' - Permission denied"


Handler = Callable[[Call], object]


@dataclass(frozen=True)
class Permission:
    """Any of these privileges, as far as the release has them, on this path; the path may name parameters."""

    path: str
    privileges: tuple[str, ...]

    def check(self, cluster: ClusterState, identity: Identity, places: Mapping[str, str]) -> None:
        path = self.path.format(**places)
        privileges = [name for name in self.privileges if name in cluster.access.catalogue.privileges]
        if not cluster.access.allows(identity, path, *privileges):
            raise forbidden(f"{path}, {'|'.join(privileges)}")


@dataclass(frozen=True)
class Route:
    """`public` needs no login; `protected` work is done by the privileged daemon of the node.

    What is `local` stays on the node which was asked, whatever node the path names. The rows of an `unordered` list
    come in another order at each call.
    """

    method: str
    path: str
    handler: Handler
    params: Params
    permission: Permission | None
    public: bool
    protected: bool
    for_tokens: bool
    since: Number = (0, 0)
    local: bool = False
    unordered: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


PLACES: Mapping[str, Param] = {"node": required(NODE), "vmid": required(VMID)}


class Routes:
    def __init__(self) -> None:
        self._routes: list[tuple[re.Pattern[str], Route]] = []

    def add(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        permission: Permission | None = None,
        public: bool = False,
        protected: bool = False,
        for_tokens: bool = True,
        since: Number = (0, 0),
        local: bool = False,
        unordered: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Parameters which stand in braces in the path need no other declaration."""
        places = {name: PLACES.get(name, required(TEXT)) for name in re.findall(r"\{(\w+)\}", path)}

        def register(handler: Handler) -> Handler:
            schema = {**places, **(params or {})}
            flags = (public, protected, for_tokens, since, local, unordered)
            route = Route(method, path, handler, schema, permission, *flags)
            self._routes.append((route.pattern, route))
            return handler

        return register

    def include(self, others: Iterable[Routes]) -> None:
        for other in others:
            self._routes.extend(other._routes)

    def __iter__(self) -> Iterator[Route]:
        return (route for _, route in self._routes)

    def find(self, method: str, path: str, release: Release) -> tuple[Route, dict[str, str]]:
        for pattern, route in self._routes:
            is_known = route.method == method and release.is_since(route.since)
            match = pattern.fullmatch(path) if is_known else None
            if match:
                return route, match.groupdict()
        raise ApiError(501, f"Method '{method} {path}' not implemented")


def is_root(identity: Identity) -> bool:
    return identity == Identity(ROOT)
