"""Allowed addresses: every address that a host name has is checked before any socket opens.

A host is entered by people who may not know the portal's own network, and names lead wherever their owner likes. So
a name is looked up once for each connection, and the connection goes to the very address that was checked.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError

from clusters.config import validate_host
from clusters.proxmox.errors import HostNotAllowed, NameNotFound, TimedOut

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Clusters live in private networks.
USUAL = ("private", "public")

# No cluster is ever there: this network, link-local, where clouds keep their metadata, multicast, broadcast, and
# addresses that hide another one in themselves.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "224.0.0.0/4",
            "240.0.0.0/4", "::/128", "fe80::/10", "fec0::/10", "fd00:ec2::/32", "fd20:ce::/32", "ff00::/8",
            "64:ff9b:1::/48", "::ffff:0:0:0/96", "192.88.99.0/24", "198.18.0.0/15", "2001::/32", "100::/64",
        ),
    )
)  # fmt: skip
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True)
class Target:
    """One checked address, ready for a socket."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    protocol: int
    address: tuple[Any, ...]


def resolve(host: str, port: int, *, patience: float) -> list[Target]:
    """Where to connect to, all of it allowed. Raises `NameNotFound`, `HostNotAllowed` and `TimedOut`.

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


def is_allowed(address: str) -> bool:
    """By `settings.CLUSTER_ALLOWED_NETWORKS`: networks, or the words private, public and loopback.

    Empty is the usual: private and public. Absent, it is these and loopback.
    """
    try:
        real = _real(ipaddress.ip_address(address))
    except ValueError:
        return False
    if real is None or _is_within(real, _NEVER):
        return False
    setting = getattr(settings, "CLUSTER_ALLOWED_NETWORKS", None)
    allowed = (*USUAL, "loopback") if setting is None else tuple(setting) or USUAL
    return any(_covers(entry, real) for entry in allowed)


def _real(address: IPAddress) -> IPAddress | None:
    """The address that is reached in the end. None for forms that have no use but to hide one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and address in _COMPATIBLE and int(address) > 1:
        return None
    # A scope chooses an interface, not a network.
    return inner or ipaddress.IPv6Address(int(address))


def _covers(entry: str, address: IPAddress) -> bool:
    if entry == "loopback":
        return _is_within(address, _LOOPBACK)
    if entry == "private":
        return _is_within(address, _PRIVATE)
    if entry == "public":
        return not _is_within(address, (*_LOOPBACK, *_PRIVATE))
    try:
        return _is_within(address, (ipaddress.ip_network(entry, strict=False),))
    except ValueError:
        raise ImproperlyConfigured(f"CLUSTER_ALLOWED_NETWORKS: {entry!r} is no network.") from None


def _is_within(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


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
