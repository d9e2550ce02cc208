"""The websocket of a console, as a plain ASGI application."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from django.conf import settings

from clusters import proxmox
from vms.console import close_codes, closing, input_times, permissions, relay
from vms.console.close_codes import Ended
from vms.console.relay import Receive, Send
from vms.console.threads import run_in_thread
from vms.sentences import say

logger = logging.getLogger("vms.console")

PATH = re.compile(r"/ws/console/([A-Za-z0-9_-]{20,100})/")
SUBPROTOCOL = "binary"

# Seconds between two checks of the permission by the rules. `closing` notices most changes sooner.
CHECK_EVERY = 30.0
CLOSE_TIMEOUT = 2.0

_open = 0


async def serve(scope: permissions.Scope, receive: Receive, send: Send) -> None:
    """Serve one console, from the handshake to its end."""
    await receive()
    if not permissions.is_same_origin(scope):
        await send({"type": "websocket.close", "code": close_codes.DENIED})  # before it is accepted: HTTP 403
        return
    offered = scope.get("subprotocols") or []
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    try:
        with _slot_in_process():
            await _console(scope, relay.Browser(receive, send))
    except Ended as ended:
        await _close(send, ended)


def is_full() -> bool:
    return _open >= settings.CONSOLES_PER_PROCESS


@contextmanager
def _slot_in_process() -> Iterator[None]:
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
    viewer = await run_in_thread(permissions.open_console, path[1], permissions.session_key(scope))
    ended = Ended(close_codes.UNREACHABLE, say("end-portal-interrupted"))
    try:
        async with proxmox.open_vnc(viewer.endpoint) as display:
            await relay.shake_hands(browser)
            await relay.forward(
                browser,
                display,
                mode=viewer.row.mode,
                watch=partial(_watch, viewer),
                record_input=partial(input_times.record, viewer.machine.pk),
            )
    except Ended as reason:
        ended = reason
    except proxmox.ProxmoxError as failure:
        logger.info("The console of %s/%s: %s", viewer.machine.cluster_id, viewer.machine.vmid, failure.plain)
        ended = await run_in_thread(permissions.reason_for_end, viewer)
    finally:
        await run_in_thread(viewer.row.end, ended.outcome)
    raise ended


async def _watch(viewer: permissions.Viewer) -> None:
    while True:
        name = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                name = await closing.wait(viewer)
        if name:
            raise Ended(close_codes.CLOSED, "closed by an administrator", outcome=say("console-closed-by", name=name))
        await run_in_thread(permissions.recheck, viewer)


async def _close(send: Send, ended: Ended) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await send({"type": "websocket.close", "code": ended.code, "reason": ended.reason})
    except (OSError, RuntimeError):  # it is closed already, or the browser takes no bytes
        return
