"""Ways to a guest's screen: a port for one VNC websocket, and the settings that a SPICE viewer needs."""

import re
from dataclasses import dataclass, field

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.results.coercion import row, text, whole
from clusters.proxmox.results.guests import or_bad
from clusters.proxmox.results.tasks import parse_upid
from clusters.sentences import say

# The lines of a viewer's file: nothing passes that is not of the form it must have.
_SPICE_FORMS = {
    "type": r"spice",
    "host": r"pvespiceproxy:[A-Za-z0-9:._/+=-]{1,300}",
    "proxy": r"http://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}",
    "tls-port": r"[0-9]{1,5}",
    "password": r"[!-~]{8,200}",
    "host-subject": r"[A-Za-z0-9 .,=:/@*_'()+-]{1,500}",
    "ca": r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\ -]{100,20000}",
}


@dataclass(frozen=True)
class Console:
    """The way to the display, once and at once, through `endpoint` alone. `password` is for the display itself."""

    endpoint: str
    port: int
    upid: str
    user: str
    ticket: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Spice:
    """The settings by name, each in one line: `type`, `host`, `proxy`, `tls-port`, `password`, `host-subject`, `ca`."""

    settings: dict[str, str] = field(repr=False)


def console(data: object, *, endpoint: str) -> Console:
    """Before 9 there may be no password of its own; the display then takes the beginning of the ticket."""
    found = row(data)
    ticket, password, upid = found.get("ticket"), found.get("password"), found.get("upid")
    if not isinstance(ticket, str) or not re.fullmatch(r"[ -~]{8,4096}", ticket):
        raise ProtocolError(say("console-without-ticket"))
    parse_upid(upid, sent=True)
    port = or_bad(whole, found.get("port"))
    if not 1 <= port <= 65535:
        raise ProtocolError(say("console-without-port"))
    own = isinstance(password, str) and re.fullmatch(r"[ -~]{1,64}", password)
    return Console(
        endpoint=endpoint,
        port=port,
        upid=str(upid),
        user=text(found.get("user"), 200),
        ticket=ticket,
        password=str(password) if own else ticket[:8],
    )


def spice(data: object) -> Spice:
    """Raises `ProtocolError` for what a viewer might read otherwise."""
    found = row(data)
    settings = {name: str(found.get(name, "")) for name in _SPICE_FORMS}
    settings["ca"] = settings["ca"].strip().replace("\n", "\\n")
    for name, form in _SPICE_FORMS.items():
        if not re.fullmatch(form, settings[name]):
            raise ProtocolError(f"a SPICE display with a strange {name}")
    return Spice(settings)
