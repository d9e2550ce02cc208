"""Clones that do not end as they should. Each fault is of so many clones that begin from now on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from pvesim.errors import TaskError
from pvesim.faults.base import ClusterFaults
from pvesim.guest_config import config_file
from pvesim.tasks import Steps, Task

LOCK_FOLDER = PurePosixPath("/var/lock")
NO_COPY = "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f qcow2 -O qcow2' failed: exit code 1"


class ProvisioningFaults(ClusterFaults):
    def clones_meet_a_lock(self, lock: str = "storage", times: int = 1, storage: str = "data") -> None:
        """Somebody else holds the lock of the `storage`, the `template` or the `new` VMID. They leave nothing."""

        def refuse(task: Task, _: Steps) -> Steps:
            yield 10.0 if lock == "storage" else 1.0
            raise TaskError(_lock_text(lock, task.id, storage))

        self._next_clones(times, refuse)

    def ids_taken(self, times: int = 1) -> None:
        """Somebody on another node was faster: File exists, and nothing is left."""

        def refuse(task: Task, _: Steps) -> Steps:
            yield 0.2
            path = f"/etc/pve/{config_file(task.node, 'qemu', int(task.id))}"
            raise TaskError(f"close (rename) atomic file '{path}' failed: File exists")

        self._next_clones(times, refuse)

    def clones_die(self, times: int = 1, seconds: float = 0.5) -> None:
        """Their worker is killed, and what it had begun stays: a configuration with `lock: clone`, and half a disk."""
        tasks = self._cluster.tasks

        def crash(task: Task, steps: Steps) -> Steps:
            tasks.timeline.after(seconds, lambda: tasks.abort(task))
            return steps

        self._next_clones(times, crash)

    def clones_fail(self, times: int = 1, text: str = NO_COPY) -> None:
        """They end with this text, half way, and leave nothing."""

        def refuse(task: Task, _: Steps) -> Steps:
            yield 0.5
            raise TaskError(text)

        self._next_clones(times, refuse)

    def storage_full(self, storage: str = "data") -> None:
        """On all nodes. A clone fails when it is half way."""
        cluster, before = self._cluster, self._cluster.storages
        filled = tuple(replace(one, used=one.total) if one.name == storage else one for one in before)
        self._set(cluster, {"storages": filled})
        self._undo.append(lambda: self._set(cluster, {"storages": before}))

    def _next_clones(self, times: int, change: Callable[[Task, Steps], Steps]) -> None:
        left, wrappers = [times], self._cluster.tasks.wrappers

        def wrapper(task: Task, steps: Steps) -> Steps:
            if task.type != "qmclone" or not left[0]:
                return steps
            left[0] -= 1
            return change(task, steps)

        wrappers.append(wrapper)
        self._undo.append(lambda: wrappers.remove(wrapper))


def _lock_text(lock: str, template: str, storage: str) -> str:
    if lock == "storage":
        path = LOCK_FOLDER / "pve-manager" / f"pve-storage-{storage}"
        return f"clone failed: can't lock file '{path}' - got timeout"
    number = template if lock == "template" else "NEW"
    return f"can't lock file '{LOCK_FOLDER / 'qemu-server' / f'lock-{number}.conf'}' - got timeout"
