"""The ASGI application that the server runs."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labportal.settings")

pages = get_asgi_application()

from vms import console  # noqa: E402 - its models need Django to be set up


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Pages over HTTP, and consoles over websockets."""
    if scope["type"] == "websocket":
        await console.serve(scope, receive, send)
        return
    await pages(scope, receive, send)
