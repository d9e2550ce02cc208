"""Allowed addresses: every address that a host name has is checked before any socket opens.

A host is entered by people who may not know the portal's own network, and names lead wherever their owner likes. So
a name is looked up once for each connection, and the connection goes to the very address that was checked.
"""

import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

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
    found = [
        Target(family, kind, number, address) for family, kind, number, _, address in _look_up(host, port, patience)
    ]
    if not found:
        raise NameNotFound
    if not all(is_allowed(str(target.address[0])) for target in found):
        raise HostNotAllowed
    return found


def _look_up(host: str, port: int, patience: float) -> list[Any]:
    """The system's resolver knows no deadline, so a name is looked up on a thread that may be left behind."""
    if _is_literal(host):
        return _ask_system(host, port)
    answers: list[list[Any]] = []
    asking = threading.Thread(target=lambda: answers.append(_ask_or_nothing(host, port)), daemon=True)
    asking.start()
    asking.join(patience)
    if not answers:
        raise TimedOut(sent=False)
    return answers[0]


def _ask_system(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameNotFound from None


def _ask_or_nothing(host: str, port: int) -> list[Any]:
    try:
        return _ask_system(host, port)
    except NameNotFound:
        return []


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
