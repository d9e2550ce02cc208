"""Allowed addresses: every address that a host name has is checked before any socket opens.

A host is entered by people who may not know the portal's own network, and names lead wherever their owner likes. So
a name is looked up once for each connection, and the connection goes to the very address that was checked.
"""

import socket
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from accounts import name_lookup
from clusters.config import validate_host
from clusters.config.networks import is_allowed
from clusters.proxmox.errors import HostNotAllowed, NameNotFound, TimedOut


@dataclass(frozen=True)
class Target:
    """One checked address, ready for a socket."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    protocol: int
    address: tuple[Any, ...]


def resolve(host: str, port: int, *, patience: float) -> list[Target]:
    """The addresses to connect to, all of them allowed. Raises `NameNotFound`, `HostNotAllowed` and `TimedOut`.

    One address that is not allowed spoils the name: whoever mixes them wants to be let through by another one.
    """
    try:
        validate_host(host)
    except ValidationError:
        raise NameNotFound from None
    try:
        answer = name_lookup.look_up(host, port, patience=patience)
    except TimeoutError:
        raise TimedOut(sent=False) from None
    found = [Target(family, kind, number, address) for family, kind, number, _, address in answer]
    if not found:
        raise NameNotFound
    if not all(is_allowed(str(target.address[0])) for target in found):
        raise HostNotAllowed
    return found
