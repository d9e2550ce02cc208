"""Asks the portal for its login form at its public address, as a browser does, through whatever is in front of it."""

import http.client
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.urls import reverse

TIMEOUT = 5.0  # seconds
MOST = 256 * 1024
DOCUMENTS = "docs/deployment/README.md describes what a proxy must pass on."


class NotReached(Exception):
    """The address did not respond. Perhaps only this machine cannot reach it."""


def faults(address: str) -> Iterator[str]:
    """The faults that keep people from logging in at this address. Raises `NotReached`."""
    status, headers, page = _ask(address)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    if status in {301, 302, 308} and headers.get("Location", "").startswith(address):
        yield f"{address} redirects to itself for ever: the proxy does not report that people use https. {DOCUMENTS}"
    elif status == 400:
        yield f"{address} is refused: check ALLOWED_HOSTS, and Host and X-Forwarded-Proto of the proxy. {DOCUMENTS}"
    elif status != 200 or not token:
        yield f"{address} does not show the portal's login form (HTTP {status}). Check PORTAL_URL and the proxy."
    else:
        cookies = SimpleCookie(headers.get("Set-Cookie", ""))
        said = {"Origin": address, "Cookie": "; ".join(f"{name}={one.value}" for name, one in cookies.items())}
        # Without a name and a password nobody is tried, and no failure is counted.
        status, _headers, _page = _ask(address, {"csrfmiddlewaretoken": token[1]}, said)
        if status == 403:
            yield f"forms at {address} are refused: the proxy changes host, port or protocol. {DOCUMENTS}"


def _ask(
    address: str, form: dict[str, str] | None = None, said: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **(said or {})}
    try:
        line.request("POST" if form else "GET", reverse(settings.LOGIN_URL), urlencode(form or {}), headers)
        answer = line.getresponse()
        return answer.status, answer.headers, answer.read(MOST).decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotReached(type(error).__name__) from None
    finally:
        line.close()
