"""Tasks: what a change becomes on the cluster."""

import re
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop

from clusters.proxmox.error_mapping import is_about_a_lock
from clusters.proxmox.errors import ProtocolError, TaskFailed
from clusters.proxmox.results.coercion import Row, row, rows, text, whole
from clusters.sentences import say

_UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9][A-Za-z0-9-]{0,62}):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:"
    r"(?P<type>[A-Za-z0-9_-]{1,40}):(?P<guest_id>[^:\s/\\]{0,64}):(?P<user>[^:\s/]{1,140}):"
)
_WARNINGS = re.compile(r"WARNINGS: \d+")
_NOTHING_YET = gettext_noop("no content")


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
class Upid:
    """The parts of a task's identifier. For a clone, `guest_id` is the guest that is copied."""

    node: str
    type: str
    guest_id: str
    user: str


@dataclass(frozen=True)
class TaskStatus:
    """`exit_status` is empty while the task runs; of a failed task it is the error."""

    running: bool
    exit_status: str

    @property
    def succeeded(self) -> bool:
        return not self.running and (self.exit_status == "OK" or bool(_WARNINGS.fullmatch(self.exit_status)))

    def raise_if_failed(self) -> None:
        """Raises `TaskFailed` for a task that ended badly; a running one may still succeed."""
        if not self.running and not self.succeeded:
            raise TaskFailed(self.exit_status, locked=is_about_a_lock(self.exit_status))


@dataclass(frozen=True)
class Task:
    """A line of a node's list of tasks. Times are seconds since 1970; `ended` is None while it runs."""

    upid: str
    type: str
    user: str
    started: int
    ended: int | None
    status: TaskStatus


@dataclass(frozen=True)
class LogPage:
    """Lines of a task's log, and where the next page starts: None when these were the last so far."""

    lines: tuple[str, ...]
    next: int | None


def parse_upid(upid: object, *, sent: bool = False) -> Upid:
    """Take a task's identifier apart. Raises `ProtocolError`."""
    match = _UPID.fullmatch(upid) if isinstance(upid, str) else None
    if not match:
        raise ProtocolError(say("no-task-id"), sent=sent)
    return Upid(**match.groupdict())


# Answers


def task_status(data: object) -> TaskStatus:
    found = row(data)
    if found.get("status") not in ("running", "stopped"):
        raise ProtocolError(say("strange-task"))
    running = found["status"] == "running"
    return TaskStatus(
        running, "" if running else text(found.get("exitstatus"), 500) or gettext_noop("unexpected status")
    )


def task_log(data: object) -> tuple[str, ...]:
    lines = tuple(text(row(entry).get("t"), 1000) for entry in rows(data))
    return () if lines == (_NOTHING_YET,) else lines


def log_page(data: object, *, start: int, limit: int) -> LogPage:
    lines = task_log(data)[:limit]
    return LogPage(lines, start + len(lines) if len(lines) == limit else None)


def tasks(data: object) -> tuple[Task, ...]:
    """Rows that make no sense are left out."""
    found = []
    for entry in rows(data):
        try:
            found.append(_task(row(entry)))
        except (ValueError, ProtocolError):
            continue
    return tuple(found)


def _task(entry: Row) -> Task:
    upid = parse_upid(entry.get("upid"))
    ended = whole(entry.get("endtime")) or None
    status = text(entry.get("status"), 500)
    running = ended is None and status in ("", "RUNNING")
    return Task(
        upid=str(entry["upid"]),
        type=upid.type,
        user=upid.user,
        started=whole(entry.get("starttime")),
        ended=ended,
        status=TaskStatus(running, "" if running else status or gettext_noop("unexpected status")),
    )
