"""The websocket of a console, as a plain ASGI application."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop

from clusters import proxmox
from vms.console import close_codes, closing, permissions, relay
from vms.console.close_codes import Ended
from vms.console.relay import Receive, Send
from vms.console.threads import apart
from vms.models.consoles import CLOSED_BY

logger = logging.getLogger("vms.console")

PATH = re.compile(r"/ws/console/([A-Za-z0-9_-]{20,100})/")
SUBPROTOCOL = "binary"

# How often it is asked whether somebody may stay, by the rules themselves. What changed is seen sooner, by `closing`.
CHECK_EVERY = 30.0
CLOSE_WITHIN = 2.0

_open = 0


async def serve(scope: permissions.Scope, receive: Receive, send: Send) -> None:
    """One console, from the handshake to its end."""
    await receive()
    if not permissions.is_ours(scope):
        await send({"type": "websocket.close", "code": close_codes.DENIED})  # before it is accepted: HTTP 403
        return
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    try:
        with _place_in_process():
            await _console(scope, relay.Browser(receive, send))
    except Ended as ended:
        await _close(send, ended)


def is_full() -> bool:
    return _open >= settings.CONSOLES_PER_PROCESS


@contextmanager
def _place_in_process() -> Iterator[None]:
    global _open  # noqa: PLW0603 - a counter of this process
    if is_full():
        raise Ended(close_codes.LIMIT, "the portal serves no more consoles")
    _open += 1
    try:
        yield
    finally:
        _open -= 1


async def _console(scope: permissions.Scope, browser: relay.Browser) -> None:
    path = PATH.fullmatch(scope["path"])
    if path is None:
        raise Ended(close_codes.NOT_THERE, "there is no such console")
    visitor = await apart(permissions.enter, path[1], permissions.session_key(scope))
    ended = Ended(close_codes.UNREACHABLE, gettext_noop("the portal was interrupted"))
    try:
        async with proxmox.open_vnc(visitor.way) as display:
            await relay.greet(browser)
            await relay.carry(browser, display, mode=visitor.row.mode, watch=partial(_watch, visitor))
    except Ended as reason:
        ended = reason
    except proxmox.ProxmoxError as failure:
        logger.info("The console of %s/%s: %s", visitor.machine.cluster_id, visitor.machine.vmid, failure.plain)
        ended = await apart(permissions.why_it_ended, visitor)
    finally:
        await apart(visitor.row.end, ended.outcome)
    raise ended


async def _watch(visitor: permissions.Visitor) -> None:
    while True:
        name = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                name = await closing.wait(visitor)
        if name:
            raise Ended(close_codes.CLOSED, "closed by an administrator", outcome=CLOSED_BY % {"name": name})
        await apart(permissions.stay, visitor)


async def _close(send: Send, ended: Ended) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await send({"type": "websocket.close", "code": ended.code, "reason": ended.reason})
    except (OSError, RuntimeError):  # it is closed already, or nobody takes anything there
        return
