"""The networks in which clusters may be, by `settings.CLUSTER_ALLOWED_NETWORKS`."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext as _

from clusters.config.syntax import split_address

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


def validate_allowed(host: str) -> None:
    """Refuse an address to which no connection is ever opened. What a name stands for is only known when it is used.

    Raises `ValidationError`.
    """
    try:
        ipaddress.ip_address(host)
        allowed = is_allowed(host)
    except (ValueError, ImproperlyConfigured):  # a name; or a setting that a check names
        return
    if not allowed:
        raise ValidationError(
            _("The portal may not connect to this address. CLUSTER_ALLOWED_NETWORKS sets which networks are allowed.")
        )


def validate_endpoints(host: str, addresses: Sequence[str]) -> None:
    """Checks a host and further addresses, by field. Raises `ValidationError`."""
    problems: dict[str, Any] = {}
    for name, hosts in {
        "host": [host],
        "addresses": [found[0] for one in addresses if (found := split_address(one))],
    }.items():
        for number, one in enumerate(hosts, start=1):
            try:
                validate_allowed(one)
            except ValidationError as error:
                which = _("Line %(number)s: %(problem)s") % {"number": number, "problem": error.messages[0]}
                problems.setdefault(name, []).append(which if name == "addresses" else error.messages[0])
    if problems:
        raise ValidationError(problems)


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
