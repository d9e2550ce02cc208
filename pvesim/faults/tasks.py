"""Tasks which do not end as they should."""

from __future__ import annotations

import re
from collections.abc import Callable

from pvesim.errors import TaskError
from pvesim.faults.base import ClusterFaults
from pvesim.tasks import Steps, Task, TaskWrapper

LONG = 3600.0


class TaskFaults(ClusterFaults):
    """They concern tasks which begin from now on, of types like `kind`: qmstart, qmclone and so on."""

    def tasks_never_end(self, kind: str = ".") -> None:
        """They begin, hold what they hold, and go on for ever."""

        def endless(steps: Steps) -> Steps:
            try:
                yield next(steps, 0.0)
                while True:
                    yield LONG
            finally:
                steps.close()

        self._wrap(kind, lambda _, steps: endless(steps))

    def tasks_vanish(self, kind: str = ".") -> None:
        """They do their work, but nobody knows of them any more: 400 no such task."""
        tasks = self._cluster.tasks

        def forget(task: Task, steps: Steps) -> Steps:
            tasks.timeline.after(0.0, lambda: tasks.forget(task.upid))
            return steps

        self._wrap(kind, forget)

    def tasks_warn(self, kind: str = ".", warnings: int = 1) -> None:
        """They succeed with the exit status `WARNINGS: n`."""

        def warn(task: Task, steps: Steps) -> Steps:
            task.warnings = warnings
            for number in range(warnings):
                task.log(f"WARN: something is odd ({number + 1})")
            return steps

        self._wrap(kind, warn)

    def tasks_fail(self, kind: str = ".", text: str = "start failed: QEMU exited with code 1") -> None:
        """They end with this text and have done nothing."""

        def fail() -> Steps:
            yield 0.5
            raise TaskError(text)

        self._wrap(kind, lambda _, __: fail())

    def tasks_crash(self, kind: str = ".", seconds: float = 0.5) -> None:
        """Their worker is killed: `unexpected status`."""
        tasks = self._cluster.tasks

        def crash(task: Task, steps: Steps) -> Steps:
            tasks.timeline.after(seconds, lambda: tasks.abort(task))
            return steps

        self._wrap(kind, crash)

    def tasks_talk(self, kind: str = ".", lines: int = 100_000) -> None:
        """Their logs are long."""

        def talk(task: Task, steps: Steps) -> Steps:
            task.lines.extend(f"progress {number} of {lines}" for number in range(lines))
            return steps

        self._wrap(kind, talk)

    def node_dies_in_task(self, kind: str = ".", seconds: float = 1.0) -> None:
        """The node of the next such task is lost while it runs, and with it all work there."""
        cluster, is_over = self._cluster, [False]

        def die(name: str) -> None:
            for task in [task for task in cluster.tasks if task.is_running and task.node == name]:
                cluster.tasks.abort(task)
            cluster.disconnect_node(name)
            self._undo.append(lambda: cluster.reconnect_node(name))

        def wrapper(task: Task, steps: Steps) -> Steps:
            if not is_over[0]:
                is_over[0] = True
                cluster.tasks.timeline.after(seconds, lambda: die(task.node))
            return steps

        self._wrap(kind, wrapper)

    def _wrap(self, kind: str, change: Callable[[Task, Steps], Steps]) -> None:
        pattern = re.compile(kind)
        wrappers: list[TaskWrapper] = self._cluster.tasks.wrappers

        def wrapper(task: Task, steps: Steps) -> Steps:
            return change(task, steps) if pattern.search(task.type) else steps

        wrappers.append(wrapper)
        self._undo.append(lambda: wrappers.remove(wrapper))
