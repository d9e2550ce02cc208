"""The addresses of a running machine, and the RDP file for its desktop."""

import ipaddress
import re
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from vms.models import VirtualMachine

# Nobody waits longer than this for an address.
EXPECTED_WITHIN = timedelta(minutes=3)

RDP = """\
full address:s:{address}
prompt for credentials:i:1
authentication level:i:2
enablecredsspsupport:i:1
screen mode id:i:2
dynamic resolution:i:1
redirectclipboard:i:1
redirectdrives:i:0
redirectprinters:i:0
"""


def addresses_of(machine: VirtualMachine) -> tuple[str, ...]:
    """Addresses of a running machine, the likeliest first. Guests may report anything: only real addresses count.

    None while it is in doubt whether the machine is still this one.
    """
    if machine.status != "running" or machine.missing_since or machine.gone_at or machine.doubted_since:
        return ()
    return tuple(str(ip) for text in machine.addresses if (ip := _parsed(text)))


def address_of(machine: VirtualMachine) -> str:
    """The first of them; empty: none is known."""
    return next(iter(addresses_of(machine)), "")


def why_no_address(machine: VirtualMachine, now: datetime) -> str:
    """The text in place of a running machine's address. Empty when it has one, or does not run."""
    if machine.status != "running" or machine.missing_since or machine.gone_at or address_of(machine):
        return ""
    if machine.booted_at and machine.booted_at < now - EXPECTED_WITHIN:
        return _("No IP address. Is the guest agent installed?")
    return _("Waiting for its IP address")


def rdp_file(address: str) -> bytes:
    """Lines as Windows ends them, for a name or an address of IPv4: no client reads one of IPv6 in a file.

    No user and no password: the person types both.
    """
    return RDP.format(address=address).replace("\n", "\r\n").encode("ascii")


def file_name(machine: VirtualMachine) -> str:
    """The machine's name with nothing in it that a file system or a header minds."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", machine.display_name).strip("-")[:60]
    return f"{safe or f'vm-{machine.vmid}'}.rdp"


def _parsed(text: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None
