"""Answers as values, and the one place where their types are made sure of.

Proxmox VE is written in Perl: a number may arrive as text, a truth as 0, 1, "0", "1" or not at all. Text is
foreign: it loses control characters and what cannot be stored, and is cut to a length.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clusters.proxmox.errors import BadAnswer, InvalidRequest

MAX_ROWS = 20_000
MAX_NUMBER = 2**63 - 1

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9][A-Za-z0-9-]{0,62}):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:"
    r"(?P<type>[A-Za-z0-9_-]{1,40}):(?P<guest_id>[^:\s/\\]{0,64}):(?P<user>[^:\s/\\]{1,140}):"
)
# Control characters, separators of lines, and what turns the direction of the text around it.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_WARNINGS = re.compile(r"WARNINGS: \d+")

Row = Mapping[str, Any]


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


# Values


def text(value: object, limit: int = 255) -> str:
    """Printable text of at most this length; empty for nothing and for what is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    clean = str(value)[: limit * 4].encode("utf-8", "replace").decode()
    return _UNPRINTABLE.sub(" ", clean).strip()[:limit]


def real(value: object) -> float:
    """A number from 0 to what a database holds, 0 for nothing. Raises `ValueError`."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("too large") from None
    if not math.isfinite(number) or not 0 <= number <= MAX_NUMBER:
        raise ValueError("out of range")
    return number


def whole(value: object) -> int:
    """The same without a fraction, and exact."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return value
    return int(real(value))


def flag(value: object) -> bool:
    return value in (1, "1", "true")


def rows(data: object) -> list[Any]:
    if not isinstance(data, list):
        raise BadAnswer("a list was expected")
    if len(data) > MAX_ROWS:
        raise BadAnswer(f"a list of more than {MAX_ROWS} entries")
    return data


def row(data: object) -> Row:
    if not isinstance(data, dict):
        raise BadAnswer("an object was expected")
    return data


# Parts of paths: checked before a URL is made of them


def node_part(node: str) -> str:
    if not _NODE.fullmatch(node):
        raise InvalidRequest({"node": "is not the name of a node"})
    return node


def vmid_part(vmid: int) -> str:
    if isinstance(vmid, bool) or not isinstance(vmid, int) or not 100 <= vmid <= 999_999_999:
        raise InvalidRequest({"vmid": "is not a number from 100 to 999999999"})
    return str(vmid)


def kind_part(kind: str) -> str:
    if kind not in ("qemu", "lxc"):
        raise InvalidRequest({"kind": "is neither qemu nor lxc"})
    return kind


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
            kind = entry.get("type") if isinstance(entry, dict) else ""
            if kind in ("qemu", "lxc"):
                guest = _guest(entry)
                if guests.setdefault(guest.vmid, guest) is not guest:
                    raise ValueError("repeated vmid")
            elif kind == "node":
                nodes.append(NodeState(_node_name(entry.get("node")), entry.get("status") == "online"))
            elif kind == "":
                raise ValueError("not an object")
        except (ValueError, BadAnswer):
            rejected += 1
    return Resources(tuple(guests.values()), tuple(nodes), rejected)


def _guest(entry: Row) -> Guest:
    vmid = whole(entry.get("vmid"))
    if not 100 <= vmid <= 999_999_999:
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
    if not isinstance(value, str) or not _NODE.fullmatch(value):
        raise BadAnswer("a node without a proper name")
    return value


def _or_bad(convert: Callable[[object], int], value: object) -> int:
    try:
        return convert(value)
    except ValueError:
        raise BadAnswer("a number was expected") from None
