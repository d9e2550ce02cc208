"""Answers as values: what each call returns, and how it is made of what the cluster sent."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from clusters.proxmox.errors import BadAnswer
from clusters.proxmox.values import Row, flag, is_node_name, is_vmid, real, row, rows, text, whole

_UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9][A-Za-z0-9-]{0,62}):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:"
    r"(?P<type>[A-Za-z0-9_-]{1,40}):(?P<guest_id>[^:\s/\\]{0,64}):(?P<user>[^:\s/\\]{1,140}):"
)
_WARNINGS = re.compile(r"WARNINGS: \d+")


class Power(StrEnum):
    """The power actions. Of containers, `RESET` is unknown."""

    START = "start"
    SHUTDOWN = "shutdown"
    STOP = "stop"
    REBOOT = "reboot"
    RESET = "reset"
    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True)
class Version:
    version: str
    release: str


@dataclass(frozen=True)
class NodeState:
    """`local` is the node that answered; a list of resources does not say it."""

    name: str
    online: bool
    local: bool = False


@dataclass(frozen=True)
class ClusterStatus:
    """Of a standalone node, `name` is the node's."""

    name: str
    quorate: bool
    nodes: tuple[NodeState, ...]


@dataclass(frozen=True)
class Guest:
    """Memory and disk are what the guest has, in bytes; uptime is in seconds. On a lost node, most is empty."""

    vmid: int
    kind: str
    node: str
    name: str
    status: str
    template: bool
    tags: tuple[str, ...]
    pool: str
    lock: str
    cpus: float
    memory: int
    disk: int
    uptime: int


@dataclass(frozen=True)
class Resources:
    """`rejected` counts the rows that made no sense."""

    guests: tuple[Guest, ...]
    nodes: tuple[NodeState, ...]
    rejected: int = 0


@dataclass(frozen=True)
class GuestStatus:
    """Of a paused machine, `status` is running and `qmp_status` paused. Containers have no `qmp_status`."""

    status: str
    qmp_status: str
    lock: str
    name: str
    uptime: int
    ha_managed: bool


@dataclass(frozen=True)
class TaskStatus:
    """`exit_status` is empty while the task runs; of a failed task it is the error."""

    running: bool
    exit_status: str

    @property
    def succeeded(self) -> bool:
        return not self.running and (self.exit_status == "OK" or bool(_WARNINGS.fullmatch(self.exit_status)))


@dataclass(frozen=True)
class Upid:
    """What the identifier of a task says about it."""

    node: str
    type: str
    guest_id: str
    user: str


@dataclass(frozen=True)
class Diagnosis:
    """What a test of the connection found. `quorate` is None when the account may not know."""

    version: str
    nodes: tuple[str, ...]
    quorate: bool | None
    seconds: float


def parse_upid(upid: object, *, sent: bool = False) -> Upid:
    """Take a task's identifier apart. Raises `BadAnswer`."""
    match = _UPID.fullmatch(upid) if isinstance(upid, str) else None
    if not match:
        raise BadAnswer("no task identifier", sent=sent)
    return Upid(**match.groupdict())


# Answers


def version(data: object) -> Version:
    found = row(data)
    if not text(found.get("version")):
        raise BadAnswer("no version in it")
    return Version(version=text(found["version"], 40), release=text(found.get("release"), 40))


def cluster_status(data: object) -> ClusterStatus:
    found = [row(entry) for entry in rows(data)]
    nodes = tuple(
        NodeState(_node_name(entry.get("name")), flag(entry.get("online")), flag(entry.get("local")))
        for entry in found
        if entry.get("type") == "node"
    )
    if not nodes:
        raise BadAnswer("a cluster without nodes")
    for entry in found:
        if entry.get("type") == "cluster":
            return ClusterStatus(text(entry.get("name"), 100), flag(entry.get("quorate")), nodes)
    return ClusterStatus(nodes[0].name, True, nodes)


def resources(data: object) -> Resources:
    """Rows of other types are passed over. A repeated VMID is rejected: a number stands for one guest."""
    guests: dict[int, Guest] = {}
    nodes: list[NodeState] = []
    rejected = 0
    for entry in rows(data):
        try:
            _sort_in(row(entry), guests, nodes)
        except (ValueError, BadAnswer):
            rejected += 1
    return Resources(tuple(guests.values()), tuple(nodes), rejected)


def _sort_in(entry: Row, guests: dict[int, Guest], nodes: list[NodeState]) -> None:
    if entry.get("type") in ("qemu", "lxc"):
        guest = _guest(entry)
        if guests.setdefault(guest.vmid, guest) is not guest:
            raise ValueError("a VMID twice")
    elif entry.get("type") == "node":
        nodes.append(NodeState(_node_name(entry.get("node")), entry.get("status") == "online"))


def _guest(entry: Row) -> Guest:
    vmid = whole(entry.get("vmid"))
    if not is_vmid(vmid):
        raise ValueError("vmid out of range")
    return Guest(
        vmid=vmid,
        kind=entry["type"],
        node=_node_name(entry.get("node")),
        name=text(entry.get("name")),
        status=text(entry.get("status"), 20) or "unknown",
        template=flag(entry.get("template")),
        tags=_tags(entry.get("tags")),
        pool=text(entry.get("pool"), 100),
        lock=text(entry.get("lock"), 20),
        cpus=real(entry.get("maxcpu")),
        memory=whole(entry.get("maxmem")),
        disk=whole(entry.get("maxdisk")),
        uptime=whole(entry.get("uptime")),
    )


def _tags(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for tag in re.split(r"[;,\s]+", text(value, 1000)) if tag))


def guest_status(data: object) -> GuestStatus:
    found = row(data)
    ha = found.get("ha")
    return GuestStatus(
        status=text(found.get("status"), 20) or "unknown",
        qmp_status=text(found.get("qmpstatus"), 20),
        lock=text(found.get("lock"), 20),
        name=text(found.get("name")),
        uptime=_or_bad(whole, found.get("uptime")),
        ha_managed=isinstance(ha, dict) and flag(ha.get("managed")),
    )


def task_status(data: object) -> TaskStatus:
    found = row(data)
    if found.get("status") not in ("running", "stopped"):
        raise BadAnswer("a task that neither runs nor has ended")
    running = found["status"] == "running"
    return TaskStatus(running, "" if running else text(found.get("exitstatus"), 500) or "unexpected status")


def task_log(data: object) -> tuple[str, ...]:
    lines = tuple(text(row(entry).get("t"), 1000) for entry in rows(data))
    return () if lines == ("no content",) else lines


def permissions(data: object) -> dict[str, frozenset[str]]:
    """A privilege that is named is held: its value says only whether deeper paths inherit it."""
    return {text(path): frozenset(map(text, row(held))) for path, held in row(data).items()}


def _node_name(value: object) -> str:
    if not is_node_name(value):
        raise BadAnswer("a node without a proper name")
    return value


def _or_bad(convert: Callable[[object], int], value: object) -> int:
    try:
        return convert(value)
    except ValueError:
        raise BadAnswer("a number was expected") from None
