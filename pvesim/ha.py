"""High availability: it takes a request at once and acts on it later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvesim.acl import ROOT, Identity
from pvesim.errors import TaskError
from pvesim.guests import Guest
from pvesim.power import SHUTDOWN_TIMEOUT, Durations, Power
from pvesim.tasks import Steps, Task, Tasks


@dataclass(frozen=True)
class HighAvailability:
    """The requests about one guest, as the work of tasks which are done before the guest has moved."""

    guest: Guest
    durations: Durations
    tasks: Tasks

    @property
    def service(self) -> str:
        return f"{'vm' if self.guest.kind == 'qemu' else 'ct'}:{self.guest.vmid}"

    def request_start(self, task: Task) -> Steps:
        task.log(f"Requesting HA start for {self._noun} {self.guest.vmid}")
        yield self.durations.ha_request
        self._refuse_error()
        self.guest.ha = "request_start"
        self.tasks.timeline.after(self.durations.ha_follow, self._start)

    def request_stop(self, task: Task) -> Steps:
        task.log(f"Requesting HA stop for {self._noun} {self.guest.vmid}")
        yield self.durations.ha_request
        self._refuse_error()
        self.guest.ha = "request_stop"
        self.tasks.timeline.after(self.durations.ha_follow, self._stop)

    def _refuse_error(self) -> None:
        if self.guest.ha == "error":
            raise TaskError(f"service '{self.service}' in error state, must be disabled and fixed first")

    def _start(self) -> None:
        if self.guest.ha == "request_start" and self.guest.ha_stuck:
            self.guest.ha = "queued"
        if self.guest.ha == "request_start":
            self._as_root("start", self._power.start)
            self.guest.ha = "started"

    def _stop(self) -> None:
        if self.guest.ha == "request_stop":
            self._as_root("shutdown", self._power.shutdown(SHUTDOWN_TIMEOUT, force=True))
            self.guest.ha = "stopped"

    def _as_root(self, action: str, work: Callable[[Task], Steps]) -> None:
        prefix = "qm" if self.guest.kind == "qemu" else "vz"
        self.tasks.start(self.guest.node, prefix + action, str(self.guest.vmid), Identity(ROOT), work)

    @property
    def _power(self) -> Power:
        return Power(self.guest, self.durations, self.tasks)

    @property
    def _noun(self) -> str:
        return "VM" if self.guest.kind == "qemu" else "CT"
