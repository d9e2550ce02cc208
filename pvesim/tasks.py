"""Tasks: work which takes time, with an identifier, a log and an exit status."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from pvesim.acl import Identity
from pvesim.errors import TaskError
from pvesim.timeline import Timeline

# A task's work yields the seconds which its next phase takes, and raises TaskError when it fails.
Steps = Generator[float, None, None]

UPID = re.compile(
    r"UPID:(?P<node>[a-zA-Z0-9-]+):(?P<pid>[0-9A-Fa-f]{8}):(?P<pstart>[0-9A-Fa-f]{8,9}):"
    r"(?P<starttime>[0-9A-Fa-f]{8}):(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<user>[^:\s]+):"
)
KILLED = "unexpected status"


@dataclass(eq=False)
class Task:
    node: str
    type: str
    id: str
    identity: Identity
    pid: int
    pstart: int
    starttime: float
    endtime: float | None = None
    exitstatus: str | None = None
    lines: list[str] = field(default_factory=list)
    warnings: int = 0
    is_killed: bool = False  # its worker had no time to tidy up

    @property
    def upid(self) -> str:
        numbers = f"{self.pid:08X}:{self.pstart:08X}:{int(self.starttime):08X}"
        return f"UPID:{self.node}:{numbers}:{self.type}:{self.id}:{self.identity}:"

    @property
    def is_running(self) -> bool:
        return self.exitstatus is None

    @property
    def is_error(self) -> bool:
        return self.exitstatus is not None and self.exitstatus != "OK" and not self.exitstatus.startswith("WARNINGS")

    def belongs_to(self, identity: Identity) -> bool:
        """A user owns what the user's tokens do; a token owns only its own work."""
        return identity in (self.identity, self.identity.owner)

    def log(self, line: str) -> None:
        self.lines.append(line)


TaskWrapper = Callable[[Task, Steps], Steps]


class Tasks:
    """The tasks of a cluster, oldest first."""

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self.timeline = timeline
        self._rng = rng
        self._began = timeline.now()
        self._pid = rng.randrange(1000, 30000)
        self._tasks: dict[str, Task] = {}
        self._work: dict[str, Steps] = {}
        # What is done to the work of every new task.
        self.wrappers: list[TaskWrapper] = []

    def __iter__(self) -> Generator[Task, None, None]:
        yield from self._tasks.values()

    def find(self, upid: str) -> Task | None:
        return self._tasks.get(upid)

    def forget(self, upid: str) -> None:
        self._tasks.pop(upid, None)

    def start(self, node: str, kind: str, subject: str, identity: Identity, work: Callable[[Task], Steps]) -> Task:
        now = self.timeline.now()
        task = Task(node, kind, subject, identity, self._next_pid(), self._centiseconds(now), now)
        self._tasks[task.upid] = task
        steps = work(task)
        for wrapper in self.wrappers:
            steps = wrapper(task, steps)
        self._work[task.upid] = steps
        self._advance(task)
        return task

    def abort(self, task: Task, exitstatus: str = KILLED) -> None:
        """Kill the worker: what it held is released, what it had begun stays as it is."""
        work = self._work.pop(task.upid, None)
        if work is not None:
            task.is_killed = exitstatus == KILLED
            work.close()
            self._finish(task, exitstatus)

    def _advance(self, task: Task) -> None:
        work = self._work.get(task.upid)
        if work is None:
            return
        try:
            pause = next(work)
        except StopIteration:
            task.log(f"TASK WARNINGS: {task.warnings}" if task.warnings else "TASK OK")
            self._finish(task, f"WARNINGS: {task.warnings}" if task.warnings else "OK")
        except TaskError as failure:
            task.log(f"TASK ERROR: {failure}")
            self._finish(task, str(failure))
        else:
            self.timeline.after(pause, lambda: self._advance(task))

    def _finish(self, task: Task, exitstatus: str) -> None:
        self._work.pop(task.upid, None)
        task.exitstatus = exitstatus
        task.endtime = self.timeline.now()

    def _next_pid(self) -> int:
        self._pid += self._rng.randrange(1, 20)
        return self._pid

    def _centiseconds(self, now: float) -> int:
        # A node which has been up for some while when the simulation begins.
        return int((now - self._began) * 100) + 200_000
