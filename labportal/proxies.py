"""Detects faults of a proxy in front of the portal, as far as they can be seen from behind it."""

import re

from django.http import HttpRequest
from django.http.request import split_domain_port

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# What may be shown of a header, which anybody can write.
ORIGIN = re.compile(
    r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?|https?://\[[0-9a-f:.]{2,45}\](:[0-9]{1,5})?", re.IGNORECASE
)
PROTOCOLS = re.compile(r"[a-zA-Z, ]{1,40}")


def origins(request: HttpRequest) -> tuple[str, str]:
    """The origin of the form according to the browser, and the origin at which the portal was asked.

    Empty: the browser says what is no address. Without a word from it, both are the same.
    """
    portal = f"{request.scheme}://{request.get_host()}"
    said = request.headers.get("Origin") or (request.headers.get("Referer", "") if request.is_secure() else "")
    if not said:
        return portal, portal
    browser = re.sub(r"(?<=[^:/])[/?#].*", "", said)
    return browser if ORIGIN.fullmatch(browser) else "", portal


def came_by_tls(request: HttpRequest) -> bool:
    """Whether a browser used https, although the server did not hear of it from somebody whom it believes."""
    if "https" in request.headers.get("X-Forwarded-Proto", "").lower():
        return True
    # Browsers send this to addresses with https, and to their own machine.
    return "Sec-Fetch-Mode" in request.headers and split_domain_port(request.get_host())[0] not in LOOPBACK


def protocols(request: HttpRequest) -> str:
    """The protocols that a proxy claims, as far as they may be shown."""
    said = request.headers.get("X-Forwarded-Proto", "")
    return said if PROTOCOLS.fullmatch(said) else ""
