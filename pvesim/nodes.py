"""The hosts of a cluster."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from pvesim.guests import GIB
from pvesim.tls import Authority, Certificate, load_into, server_context


@dataclass(eq=False)
class Node:
    """`listening`: its port is open. `online`: the other nodes reach it; if not, `unreachable` is why."""

    name: str
    number: int
    authority: Authority = field(repr=False)
    maxcpu: int = 16
    maxmem: int = 64 * GIB
    maxdisk: int = 100 * GIB
    port: int = 0
    online: bool = True
    unreachable: str = "No route to host"
    patience: float = 0.0

    def __post_init__(self) -> None:
        self.certificate: Certificate = self.authority.issue(self.name)
        self.context: ssl.SSLContext = server_context(self.certificate)

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number + 10}"

    def renew_certificate(self) -> None:
        """A new key and certificate of the same authority, from the next handshake on."""
        self.certificate = self.authority.issue(self.name)
        load_into(self.context, self.certificate)
