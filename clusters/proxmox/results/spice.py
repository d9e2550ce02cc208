"""What a SPICE viewer needs: lines of a file, so nothing passes that is not of the form it must have."""

import re
from dataclasses import dataclass, field

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.values import row

_FORMS = {
    "type": r"spice",
    "host": r"pvespiceproxy:[A-Za-z0-9:._/+=-]{1,300}",
    "proxy": r"http://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}",
    "tls-port": r"[0-9]{1,5}",
    "password": r"[!-~]{8,200}",
    "host-subject": r"[A-Za-z0-9 .,=:/@*_'()+-]{1,500}",
    "ca": r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\ -]{100,20000}",
}


@dataclass(frozen=True)
class Spice:
    """The settings by name, each in one line: `type`, `host`, `proxy`, `tls-port`, `password`, `host-subject`, `ca`."""

    settings: dict[str, str] = field(repr=False)


def spice(data: object) -> Spice:
    """Raises `ProtocolError` for what a viewer might read otherwise."""
    found = row(data)
    settings = {name: str(found.get(name, "")) for name in _FORMS}
    settings["ca"] = settings["ca"].strip().replace("\n", "\\n")
    for name, form in _FORMS.items():
        if not re.fullmatch(form, settings[name]):
            raise ProtocolError(f"a SPICE display with a strange {name}")
    return Spice(settings)
