"""The ASGI application that the server runs."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labportal.settings")

pages = get_asgi_application()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Pages over HTTP. There is no websocket yet, and asking for one is no fault of the portal."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4404})
        return
    await pages(scope, receive, send)
