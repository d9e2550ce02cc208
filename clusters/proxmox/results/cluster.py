"""Clusters, their nodes, and what the account may do there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.results.coercion import Row, flag, ip_address, is_node_name, real, row, rows, text, whole
from clusters.sentences import say


@dataclass(frozen=True)
class Version:
    version: str
    release: str


@dataclass(frozen=True)
class NodeState:
    """`local` is the node that answered, `address` where the others reach it; a list of resources says neither."""

    name: str
    online: bool
    local: bool = False
    address: str = ""


@dataclass(frozen=True)
class ClusterStatus:
    """The status of a cluster. For a standalone node, `name` is the node's."""

    name: str
    quorate: bool
    nodes: tuple[NodeState, ...]


@dataclass(frozen=True)
class ClusterOptions:
    """`keyboard` is the layout that QEMU takes keys to be of; empty when it is not set, or may not be known."""

    keyboard: str


@dataclass(frozen=True)
class NodeStatus:
    """Memory and the disk of the system are in bytes; `cpu` is the part of all its processors that is busy."""

    cpu: float
    cpus: int
    memory: int
    memory_used: int
    disk: int
    disk_used: int
    uptime: int
    pve_version: str
    kernel: str


@dataclass(frozen=True)
class HaService:
    """A guest that the cluster itself keeps as it should be. `state`: started, stopped, error, fence, …"""

    vmid: int
    node: str
    state: str


@dataclass(frozen=True)
class HaStatus:
    quorate: bool
    services: tuple[HaService, ...]


@dataclass(frozen=True)
class Diagnosis:
    """The result of a connection test. `quorate` and `status` are None when the account may not know."""

    version: str
    nodes: tuple[str, ...]
    quorate: bool | None
    seconds: float
    status: ClusterStatus | None = None


@dataclass(frozen=True)
class Account:
    """Until when a user is valid, and each of the user's tokens by its name alone. None: for ever."""

    expires_at: datetime | None
    tokens: Mapping[str, datetime | None]

    def end_of(self, token: str) -> datetime | None:
        """The expiry of the user, or of user or token, whichever comes first: a token ends with its user."""
        ends = [self.expires_at, self.tokens.get(token) if token else None]
        return min((end for end in ends if end), default=None)


def learned_addresses(status: ClusterStatus) -> tuple[str, ...]:
    """The nodes' addresses, the one that answered first, for `ClusterConfig.addresses`."""
    nodes = sorted(status.nodes, key=lambda node: not node.local)
    return tuple(dict.fromkeys(node.address for node in nodes if node.address))


# Answers


def version(data: object) -> Version:
    found = row(data)
    if not text(found.get("version")):
        raise ProtocolError(say("no-version"))
    return Version(version=text(found["version"], 40), release=text(found.get("release"), 40))


def cluster_status(data: object) -> ClusterStatus:
    found = [row(entry) for entry in rows(data)]
    # The server lists them in another order at each call.
    members = (_member(entry) for entry in found if entry.get("type") == "node")
    nodes = tuple(sorted(members, key=lambda node: node.name))
    if not nodes:
        raise ProtocolError(say("no-nodes"))
    for entry in found:
        if entry.get("type") == "cluster":
            return ClusterStatus(text(entry.get("name"), 100), flag(entry.get("quorate")), nodes)
    return ClusterStatus(nodes[0].name, True, nodes)


def _member(entry: Row) -> NodeState:
    return NodeState(
        name=node_name(entry.get("name")),
        online=flag(entry.get("online")),
        local=flag(entry.get("local")),
        address=ip_address(entry.get("ip")),
    )


def cluster_options(data: object) -> ClusterOptions:
    return ClusterOptions(keyboard=text(row(data).get("keyboard"), 20))


def node_status(data: object) -> NodeStatus:
    found = row(data)
    memory, disk, cpu = (_part(found, name) for name in ("memory", "rootfs", "cpuinfo"))
    try:
        return NodeStatus(
            cpu=real(found.get("cpu")),
            cpus=whole(cpu.get("cpus")),
            memory=whole(memory.get("total")),
            memory_used=whole(memory.get("used")),
            disk=whole(disk.get("total")),
            disk_used=whole(disk.get("used")),
            uptime=whole(found.get("uptime")),
            pve_version=text(found.get("pveversion"), 100),
            kernel=text(found.get("kversion"), 200),
        )
    except ValueError:
        raise ProtocolError(say("number-expected")) from None


def ha_status(data: object) -> HaStatus:
    found = [row(entry) for entry in rows(data)]
    quorum = next((entry for entry in found if entry.get("type") == "quorum"), {})
    services = (_ha_service(entry) for entry in found if entry.get("type") == "service")
    return HaStatus(flag(quorum.get("quorate")), tuple(service for service in services if service))


def _ha_service(entry: Row) -> HaService | None:
    named = re.fullmatch(r"(?:vm|ct):([0-9]{3,9})", text(entry.get("sid"), 40))
    if not named or not is_node_name(entry.get("node")):
        return None
    return HaService(vmid=int(named[1]), node=str(entry["node"]), state=text(entry.get("state"), 40) or "unknown")


def permissions(data: object) -> dict[str, frozenset[str]]:
    """A privilege that is named is held: its value says only whether deeper paths inherit it."""
    return {text(path): frozenset(map(text, row(held))) for path, held in row(data).items()}


def permission_flags(data: object) -> dict[str, dict[str, bool]]:
    return {
        text(path): {text(name): flag(inherited) for name, inherited in row(held).items()}
        for path, held in row(data).items()
    }


def roles(data: object) -> dict[str, frozenset[str]]:
    found = map(row, rows(data))
    return {
        text(role.get("roleid")): frozenset(text(role.get("privs"), 4000).replace(",", " ").split()) for role in found
    }


def account(data: object) -> Account:
    found = row(data)
    tokens = {text(name): _end(row(token)) for name, token in _part(found, "tokens").items()}
    return Account(_end(found), tokens)


# Parts of them


def _end(found: Row) -> datetime | None:
    """Seconds since 1970, 0 for never."""
    try:
        seconds = whole(found.get("expire"))
    except ValueError:
        raise ProtocolError(say("time-expected")) from None
    # What lies beyond this century is for ever, and beyond what a date can be.
    return datetime.fromtimestamp(seconds, tz=UTC) if 0 < seconds < 2**32 else None


def node_name(value: object) -> str:
    if not is_node_name(value):
        raise ProtocolError(say("node-without-name"))
    return value


def _part(found: Row, name: str) -> Row:
    part = found.get(name)
    return part if isinstance(part, dict) else {}
