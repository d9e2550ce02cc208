"""The relay: passes bytes between browser and display. It reads a side again only after the other took everything."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from clusters import proxmox
from vms.console import close_codes
from vms.console.client_messages import ClientFilter, control, view_only
from vms.console.close_codes import Ended
from vms.console.server_messages import ServerFilter
from vms.models import Mode
from vms.sentences import say

VERSION = b"RFB 003.008\n"
NO_PASSWORD = b"\x01\x01"  # one security type: none
ACCEPTED = b"\0\0\0\0"
SHARED = b"\x01"
HANDSHAKE_TIMEOUT = 10.0
SERVICE_RESTART = 1012

# Seconds after which a browser that takes no bytes counts as gone.
SEND_TIMEOUT = 18.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Browser:
    """The websocket of a page, as a stream of bytes. Raises `Ended` when it is closed."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._rest = b""

    async def receive(self) -> bytes:
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            restarted = message.get("code") == SERVICE_RESTART
            raise Ended(
                close_codes.NORMAL,
                say("end-portal-stopped") if restarted else say("end-closed-by-person"),
            )
        received = message.get("bytes")
        if received is None:
            raise Ended(close_codes.BAD_MESSAGE, "text instead of bytes")
        return bytes(received)

    async def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += await self.receive()
        self._rest = found[count:]
        return found[:count]

    async def send(self, data: bytes) -> None:
        """Return when the browser is ready for more."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._send({"type": "websocket.send", "bytes": data})
        except (OSError, RuntimeError):  # a timeout; closed; closed by the server, which waits for it to finish
            raise Ended(close_codes.NORMAL, say("end-browser-gone")) from None


async def shake_hands(browser: Browser) -> None:
    """The RFB handshake, as a display without a password: the browser is logged in to the portal."""
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            await browser.send(VERSION)
            if await browser.exactly(12) != VERSION:
                raise Ended(close_codes.BAD_MESSAGE, "another version of RFB")
            await browser.send(NO_PASSWORD)
            if await browser.exactly(1) != NO_PASSWORD[1:]:
                raise Ended(close_codes.BAD_MESSAGE, "another security type")
            await browser.send(ACCEPTED)
            await browser.exactly(1)
    except TimeoutError:
        raise Ended(close_codes.BAD_MESSAGE, say("end-no-greeting")) from None


async def forward(
    browser: Browser,
    display: proxmox.VncWebsocket,
    *,
    mode: str,
    watch: Callable[[], Awaitable[None]],
    record_input: Callable[[asyncio.Event], Awaitable[None]],
) -> None:
    """Relay both directions, and run `watch` and `record_input`, whose event is set whenever keys or the pointer pass.

    Until one of them ends. Always raises: `Ended`, or a `ProxmoxError`.
    """
    await display.send(SHARED)  # whatever the browser asked for: nobody disconnects others
    client_filter = control() if mode == Mode.CONTROL else view_only()
    input_passed = asyncio.Event()
    directions = (
        _to_browser(browser, display, client_filter),
        _to_display(browser, display, client_filter, input_passed),
    )
    tasks = [asyncio.ensure_future(one) for one in (*directions, watch(), record_input(input_passed))]
    try:
        done, _others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _to_browser(browser: Browser, display: proxmox.VncWebsocket, client_filter: ClientFilter) -> None:
    server_filter = ServerFilter(lambda: client_filter.pixel_format)
    while True:
        if passing := server_filter.feed(await display.receive()):
            await browser.send(passing)


async def _to_display(
    browser: Browser, display: proxmox.VncWebsocket, client_filter: ClientFilter, input_passed: asyncio.Event
) -> None:
    while True:
        if passing := client_filter.feed(await browser.receive()):
            await display.send(passing)
        if client_filter.has_input:
            client_filter.has_input = False
            input_passed.set()
