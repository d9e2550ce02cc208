"""Warnings about a certificate, in words for the person who decides about it."""

import ipaddress
from datetime import datetime

from django.utils.translation import gettext as _

from clusters.proxmox import Certificate

MOST_NAMED = 5


def warnings_about(certificate: Certificate, host: str, *, now: datetime) -> list[str]:
    """Sentences; none for a certificate that is in force and names this host."""
    found = []
    if now < certificate.not_before:
        found.append(
            _("It is not valid before %(not_before)s UTC.") % {"not_before": f"{certificate.not_before:%Y-%m-%d %H:%M}"}
        )
    if now > certificate.not_after:
        found.append(_("It expired on %(not_after)s UTC.") % {"not_after": f"{certificate.not_after:%Y-%m-%d %H:%M}"})
    if not any(_names(name, host) for name in certificate.names):
        found.append(
            _("It is issued for %(listed)s, not for this host (%(host)s).")
            % {"host": host, "listed": _listed(certificate.names)}
        )
    return found


def _names(name: str, host: str) -> bool:
    """A star stands for one label, the first; an address has many spellings."""
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(name)
    except ValueError:
        pass
    first, _, rest = host.lower().rstrip(".").partition(".")
    name = name.lower().rstrip(".")
    return name == f"{first}.{rest}".rstrip(".") or (bool(rest) and name == f"*.{rest}")


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return (", ".join(names[:MOST_NAMED]) or _("no host")) + (
        _(" and %(more)s more") % {"more": more} if more > 0 else ""
    )
