"""Snapshots: what a guest was, and the work of going back to it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pvesim.errors import TaskError
from pvesim.guests import Guest, Snapshot
from pvesim.power import Durations, held, refuse_locked, wait_for_lock
from pvesim.tasks import Steps, Task

Work = Callable[[Task], Steps]


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one guest, as the work of tasks. What cannot be done fails in the task."""

    guest: Guest
    durations: Durations = field(default_factory=Durations)

    def create(self, name: str, description: str, with_memory: bool) -> Work:
        def work(task: Task) -> Steps:
            yield from wait_for_lock(self.guest)
            with held(self.guest, task), self._marked("snapshot"):
                self._refuse_new(name)
                task.log(f"snapshotting 'drive-scsi0' ({self.guest.volume})")
                yield self.durations.snapshot
            self._take(name, description, with_memory and self.guest.is_up)

        return work

    def roll_back(self, name: str, start: bool) -> Work:
        """The notes stay as they are. Without its memory a running machine ends up stopped."""

        def work(task: Task) -> Steps:
            yield from wait_for_lock(self.guest)
            with held(self.guest, task), self._marked("rollback"):
                snapshot = self._existing(name)
                if snapshot.state:
                    raise TaskError(f"unable to rollback to incomplete snapshot (snapstate = {snapshot.state})")
                self._refuse_an_older(name)
                yield self.durations.rollback
                self.guest.status = "stopped"
                for attribute, value in snapshot.settings.items():
                    setattr(self.guest, attribute, value)
                self.guest.screen.clear()
                self.guest.parent = name
                self.guest.status = "running" if start or snapshot.vmstate else "stopped"

        return work

    def delete(self, name: str, *, force: bool = False) -> Work:
        """Of one that is half there, the storage has nothing to delete: that needs force."""

        def work(task: Task) -> Steps:
            yield from wait_for_lock(self.guest)
            with held(self.guest, task), self._marked("snapshot-delete"):
                snapshot = self._existing(name)
                yield self.durations.snapshot
                if snapshot.state and not force:
                    raise TaskError("zfs error: could not find any snapshots to destroy; check snapshot names.")
                self._remove(snapshot)

        return work

    def _take(self, name: str, description: str, vmstate: bool) -> None:
        guest = self.guest
        now = self.guest.timeline.now()
        taken = Snapshot(name, description, now, guest.parent, vmstate, guest.config(), guest.settings())
        guest.snapshots[name] = taken
        guest.parent = name

    def _remove(self, snapshot: Snapshot) -> None:
        """What came after it now comes after what was before it."""
        del self.guest.snapshots[snapshot.name]
        for name, other in self.guest.snapshots.items():
            if other.parent == snapshot.name:
                self.guest.snapshots[name] = replace(other, parent=snapshot.parent)
        if self.guest.parent == snapshot.name:
            self.guest.parent = snapshot.parent

    def _refuse_an_older(self, name: str) -> None:
        newest = max(self.guest.snapshots.values(), key=lambda one: one.taken).name
        if self.guest.newest_only and newest != name:
            raise TaskError(f"can't rollback, '{name}' is not most recent snapshot on '{self.guest.volume}'")

    def _refuse_new(self, name: str) -> None:
        if self.guest.template:
            raise TaskError("you can't take a snapshot if it's a template")
        if not self.guest.can_snapshot:
            raise TaskError("snapshot feature is not available")
        if name in self.guest.snapshots:
            raise TaskError(f"snapshot name '{name}' already used")

    def _existing(self, name: str) -> Snapshot:
        if name not in self.guest.snapshots:
            raise TaskError(f"snapshot '{name}' does not exist")
        return self.guest.snapshots[name]

    @contextmanager
    def _marked(self, lock: str) -> Generator[None, None, None]:
        refuse_locked(self.guest)
        self.guest.lock = lock
        try:
            yield
        finally:
            self.guest.lock = None
