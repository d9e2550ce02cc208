"""Consoles which do not open, or do not last. They concern all guests of the cluster unless they take a number."""

from __future__ import annotations

from typing import Unpack

from pvesim.faults.base import ClusterFaults
from pvesim.faults.responses import Fault, Scope
from pvesim.tickets import VNC_EARLY

WEBSOCKET = "/vncwebsocket$"
MIB = 1 << 20


class ConsoleFaults(ClusterFaults):
    def console_dropped(self, vmid: int = 0) -> None:
        """The consoles which are open now break off; of this guest, or all of them."""
        self._cluster.consoles.drop(vmid or None)

    def console_refused(
        self, status: int = 500, reason: str = "connect to '127.0.0.1:5900' failed", **scope: Unpack[Scope]
    ) -> Fault:
        """An HTTP status instead of the websocket."""
        return self.reply(WEBSOCKET, status, reason, '{"data":null}', **scope)

    def console_unanswered(self, **scope: Unpack[Scope]) -> Fault:
        """The connection closes before any answer to the websocket's request."""
        return self.reset(WEBSOCKET, **scope)

    def console_stalled(self) -> None:
        """Websockets open, and nothing is said there; those which are open fall silent. Not even pings are answered."""
        self._change(self._cluster.consoles, is_stalled=True)

    def console_password_wrong(self) -> None:
        """The display takes no password, not even the one which the proxy has given."""
        self._change(self._cluster.consoles, rejects_passwords=True)

    def console_ticket_expired(self) -> None:
        """Every ticket comes too late: 401 permission denied - invalid PVEVNC ticket."""
        self._change(self._cluster.tickets, vnc_life=-VNC_EARLY - 1)

    def console_oversized(self, size: int = 16 * MIB) -> None:
        """Every console, open or yet to be opened, sends one frame of so many bytes."""
        self._change(self._cluster.consoles, oversized=size)

    def console_slow(self, bytes_per_second: float = 2000.0) -> None:
        """What displays send trickles, in real time."""
        self._change(self._cluster.consoles, pace=bytes_per_second)
