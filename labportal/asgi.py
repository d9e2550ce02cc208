"""The ASGI application that the server runs."""

import gc
import logging
import os
import sys
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labportal.settings")

try:
    django.setup(set_prefix=False)
except ImproperlyConfigured as error:
    sys.exit(f"Lab Portal cannot start: {error}")

from django.urls import get_resolver
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from accounts.lockout import PEER
from labportal.logs import WithoutInvites
from labportal.pages import Pages
from labportal.serve import PROXIES
from vms import console  # its models need Django to be set up

pages = Pages()
get_resolver().url_patterns  # noqa: B018 - all pages are imported now, and not by the first who come

# After each of its queries a page waits for the interpreter, by default 5 ms for every other that computes.
sys.setswitchinterval(0.001)
# What is there now stays: no need to look through it again and again.
gc.collect()
gc.freeze()

# The server writes the paths of websockets into its log, and a console's path is a permit.
logging.getLogger("uvicorn.error").addFilter(lambda record: "/ws/console/" not in record.getMessage())
# And those of pages, of which an invite's and a calendar's is its secret.
logging.getLogger("uvicorn.access").addFilter(WithoutInvites())


async def _portal(scope: Any, receive: Any, send: Any) -> None:
    """Pages over HTTP, and consoles over websockets."""
    if scope["type"] == "websocket":
        await console.serve(scope, receive, send)
        return
    await pages(scope, receive, send)


def behind(proxies: str | None) -> Any:
    """The portal behind these proxies, whose headers say who the client is."""
    return ProxyHeadersMiddleware(_portal, proxies) if proxies else _portal


_proxies = os.environ.get(PROXIES)
_behind_proxies = behind(_proxies)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Notes who connected, before the headers of a named proxy say who the client is.

    Another server than `bin/serve` may have believed those headers already: then it stays unknown.
    """
    if _proxies is not None and scope.get("client"):
        scope[PEER] = scope["client"][0]
    await _behind_proxies(scope, receive, send)
