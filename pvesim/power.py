"""What the power actions do to a guest, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from pvesim.acl import ROOT, Identity
from pvesim.errors import TaskError
from pvesim.guests import Guest
from pvesim.tasks import Steps, Task, Tasks

LOCK_TIMEOUT = 10.0
LOCK_POLL_INTERVAL = 0.1
SHUTDOWN_TIMEOUT = 60


@dataclass(frozen=True)
class Durations:
    """Seconds of simulated time."""

    start: float = 2.0
    stop: float = 1.0
    shutdown: float = 3.0
    reset: float = 0.5
    suspend: float = 0.5
    resume: float = 0.5
    restart: float = 1.0
    clone: float = 1.0
    full_clone: float = 5.0
    snapshot: float = 1.0
    rollback: float = 2.0
    destroy: float = 1.0
    config: float = 0.0
    migrate: float = 3.0
    # How soon high availability takes a request, and how much later it acts.
    ha_request: float = 0.5
    ha_follow: float = 5.0
    # How long the answers take which tell that a task was aborted, and that accounts cannot be written.
    abort: float = 0.0
    account_lock: float = 0.0
    # For how long a start which comes too soon after the end of the same machine locks it. Nothing by default.
    cleanup_lock: float = 0.0


# What QEMU says to `cont` in these states.
NEEDS_RESET = ("internal-error", "guest-panicked")

# A machine which starts within so many seconds of its end meets the clean-up of its former self.
TOO_SOON = 2.0


@dataclass(frozen=True)
class Power:
    """The power actions on one guest, as the work of tasks."""

    guest: Guest
    durations: Durations
    tasks: Tasks
    bridges: Collection[str] = ("vmbr0",)

    def start(self, task: Task) -> Steps:
        yield from wait_for_lock(self.guest)
        with held(self.guest, task):
            self._refuse_template()
            if self.guest.lock != "suspended":
                refuse_locked(self.guest)
            if self.guest.is_up:
                raise TaskError(self._text("already running"))
            for bridge in self.guest.bridges:
                if bridge not in self.bridges:
                    raise TaskError(f"bridge '{bridge}' does not exist")
            too_soon = self._is_too_soon()
            yield self.durations.start
            self.guest.lock = None
            self.guest.status = "running"
        if too_soon:
            self._clean_up()

    def stop(self, task: Task) -> Steps:
        yield from wait_for_lock(self.guest)
        with held(self.guest, task):
            if self.guest.is_up:
                refuse_locked(self.guest)
                yield self.durations.stop
                self.guest.status = "stopped"

    def shutdown(self, timeout: int, force: bool) -> Callable[[Task], Steps]:
        def work(task: Task) -> Steps:
            yield from wait_for_lock(self.guest)
            with held(self.guest, task):
                if self.guest.is_up:
                    refuse_locked(self.guest)
                    yield from self._come_down(task, timeout, force)

        return work

    def reboot(self, timeout: int) -> Callable[[Task], Steps]:
        def work(task: Task) -> Steps:
            yield from wait_for_lock(self.guest)
            with held(self.guest, task):
                refuse_locked(self.guest)
                yield from self._come_down(task, timeout, force=False)
            self.tasks.timeline.after(self.durations.restart, self._start_again)

        return work

    def reset(self, task: Task) -> Steps:
        yield from self._at_once(task, self.durations.reset)
        self.guest.reset()

    def suspend(self, task: Task) -> Steps:
        yield from self._at_once(task, self.durations.suspend)
        self.guest.status = "paused"

    def suspend_to_disk(self, task: Task) -> Steps:
        yield from self._at_once(task, self.durations.suspend)
        self.guest.status = "stopped"
        self.guest.lock = "suspended"

    def resume(self, task: Task) -> Steps:
        yield from wait_for_lock(self.guest)
        with held(self.guest, task):
            yield self.durations.resume
            if self.guest.status in NEEDS_RESET:
                raise TaskError("VM needs reset before it can be resumed")
            if self.guest.lock == "suspended":
                self.guest.lock = None
            self.guest.status = "running"

    def _at_once(self, task: Task, seconds: float) -> Steps:
        yield from wait_for_lock(self.guest)
        with held(self.guest, task):
            refuse_locked(self.guest)
            yield seconds

    def _come_down(self, task: Task, timeout: int, force: bool) -> Steps:
        obeys = self.guest.acpi and self.guest.status == "running"
        if obeys and self.durations.shutdown <= timeout:
            yield self.durations.shutdown
        else:
            yield timeout
            if not force:
                raise TaskError(self._timeout_text())
            task.log(f"{self._noun} still running - terminating now with SIGTERM")
            yield self.durations.stop
        self.guest.status = "stopped"

    def _start_again(self) -> None:
        kind = "qmstart" if self.guest.kind == "qemu" else "vzstart"
        self.tasks.start(self.guest.node, kind, str(self.guest.vmid), Identity(ROOT), self.start)

    def _is_too_soon(self) -> bool:
        ended = self.guest.ended
        return self.guest.kind == "qemu" and ended is not None and self.guest.timeline.now() - ended < TOO_SOON

    def _clean_up(self) -> None:
        """What tidies up after the former process takes the new one for it, and waits for its end."""
        if self.durations.cleanup_lock and self.guest.lock_holder is None:
            self.guest.lock_holder = "cleanup"
            self.tasks.timeline.after(self.durations.cleanup_lock, self._release)

    def _release(self) -> None:
        if self.guest.lock_holder == "cleanup":
            self.guest.lock_holder = None

    def _refuse_template(self) -> None:
        if self.guest.template:
            raise TaskError(f"you can't start a {self._noun.lower()} if it's a template")

    def _timeout_text(self) -> str:
        if self.guest.kind == "qemu":
            return "VM quit/powerdown failed - got timeout"
        return f"command 'lxc-stop -n {self.guest.vmid} --nokill' failed: exit code 1"

    def _text(self, state: str) -> str:
        return f"{self._noun} {self.guest.vmid} {state}"

    @property
    def _noun(self) -> str:
        return noun(self.guest)


def noun(guest: Guest) -> str:
    return "VM" if guest.kind == "qemu" else "CT"


def refuse_locked(guest: Guest) -> None:
    if guest.lock:
        raise TaskError(f"{noun(guest)} is locked ({guest.lock})")


def wait_for_lock(guest: Guest) -> Steps:
    """Only one task works on a guest at a time; the next one waits for its lock until a timeout."""
    # Half an interval early, since the sum of many intervals is not exact.
    deadline = guest.timeline.now() + LOCK_TIMEOUT - LOCK_POLL_INTERVAL / 2
    while guest.lock_holder is not None:
        if guest.timeline.now() >= deadline:
            raise TaskError(f"can't lock file '{_lock_file(guest)}' - got timeout")
        yield LOCK_POLL_INTERVAL


@contextmanager
def held(guest: Guest, task: Task) -> Generator[None, None, None]:
    guest.lock_holder = task.upid
    try:
        yield
    finally:
        guest.lock_holder = None


def _lock_file(guest: Guest) -> str:
    if guest.kind == "qemu":
        return f"/var/lock/qemu-server/lock-{guest.vmid}.conf"
    return f"/run/lock/lxc/pve-config-{guest.vmid}.lock"
