"""The websocket of a console, as a plain ASGI application."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from django.conf import settings

from clusters import proxmox
from vms.console import closing, door, ends, pipe
from vms.console.ends import Ended
from vms.console.pipe import Receive, Send
from vms.console.threads import apart
from vms.models.consoles import CLOSED_BY

logger = logging.getLogger("vms.console")

PATH = re.compile(r"/ws/console/([A-Za-z0-9_-]{20,100})/")
SUBPROTOCOL = "binary"

# How often it is asked whether somebody may stay, by the rules themselves. What changed is seen sooner, by `closing`.
CHECK_EVERY = 30.0
CLOSE_WITHIN = 2.0

_open = 0


async def serve(scope: door.Scope, receive: Receive, send: Send) -> None:
    """One console, from the handshake to its end."""
    await receive()
    if not door.is_ours(scope):
        await send({"type": "websocket.close", "code": ends.DENIED})  # before it is accepted: HTTP 403
        return
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    try:
        with _place_in_process():
            await _console(scope, pipe.Browser(receive, send))
    except Ended as ended:
        await _close(send, ended)


def is_full() -> bool:
    return _open >= settings.CONSOLES_PER_PROCESS


@contextmanager
def _place_in_process() -> Iterator[None]:
    global _open  # noqa: PLW0603 - a counter of this process
    if is_full():
        raise Ended(ends.LIMIT, "the portal serves no more consoles")
    _open += 1
    try:
        yield
    finally:
        _open -= 1


async def _console(scope: door.Scope, browser: pipe.Browser) -> None:
    path = PATH.fullmatch(scope["path"])
    if path is None:
        raise Ended(ends.NOT_THERE, "there is no such console")
    visitor = await apart(door.enter, path[1], door.session_key(scope))
    ended = Ended(ends.UNREACHABLE, "the portal was interrupted")
    try:
        async with proxmox.open_vnc(visitor.way) as display:
            await pipe.greet(browser)
            await pipe.carry(browser, display, mode=visitor.row.mode, watch=partial(_watch, visitor))
    except Ended as reason:
        ended = reason
    except proxmox.ProxmoxError as failure:
        logger.info("The console of %s/%s: %s", visitor.machine.cluster_id, visitor.machine.vmid, failure.plain)
        ended = await apart(door.why_it_ended, visitor)
    finally:
        await apart(visitor.row.end, ended.outcome)
    raise ended


async def _watch(visitor: door.Visitor) -> None:
    while True:
        name = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                name = await closing.wait(visitor)
        if name:
            raise Ended(ends.CLOSED, "closed by an administrator", outcome=CLOSED_BY % {"name": name})
        await apart(door.stay, visitor)


async def _close(send: Send, ended: Ended) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await send({"type": "websocket.close", "code": ended.code, "reason": ended.reason})
    except (OSError, RuntimeError):  # it is closed already, or nobody takes anything there
        return
