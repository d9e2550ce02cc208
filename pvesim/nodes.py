"""The hosts of a cluster."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pvesim.guest_config import GIB
from pvesim.tls import Authority, Certificate, load_into, server_context

# What becomes of a connection before any TLS: served, left alone, closed at once, or told that its TLS is too new.
PortBehaviour = Literal["normal", "unresponsive", "closing", "tls-1.0"]


@dataclass(frozen=True)
class GatewayError:
    """An answer without a body, after so many seconds."""

    status: int
    reason: str
    timeout: float = 0.0


@dataclass(eq=False)
class Frozen:
    """A daemon that was stopped by a signal: clients hear 596 after `timeout` seconds, and the work waits."""

    timeout: float
    work: list[Callable[[], object]] = field(default_factory=list)


@dataclass(eq=False)
class Node:
    """`online`: the other nodes reach it; if not, `unreachable` is why. Nodes see those of their own partition only.

    `gateway_error` is what a call to this node meets on its way from another node, which finds it online;
    `daemon_error` is what all protected work meets, `frozen` what holds it back.
    """

    name: str
    number: int
    authority: Authority = field(repr=False)
    maxcpu: int = 16
    maxmem: int = 64 * GIB
    maxdisk: int = 100 * GIB
    port: int = 0
    online: bool = True
    unreachable: str = "No route to host"
    timeout: float = 0.0
    silent_since: float | None = None
    partition: int = 0
    gateway_error: GatewayError | None = None
    daemon_error: GatewayError | None = None
    frozen: Frozen | None = None
    pmxcfs_down: bool = False
    port_behaviour: PortBehaviour = "normal"

    def __post_init__(self) -> None:
        self.certificate: Certificate = self.authority.issue(self.name)
        self.context: ssl.SSLContext = server_context(self.certificate)

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number + 10}"

    def renew_certificate(self) -> None:
        """A new key and certificate of the same authority, from the next handshake on."""
        self.present(self.authority.issue(self.name))

    def present(self, certificate: Certificate) -> None:
        self.certificate = certificate
        load_into(self.context, certificate)
