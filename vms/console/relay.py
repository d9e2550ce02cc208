"""Bytes between a browser and a display. Each side is read again only when the other one has taken what came."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.utils.translation import gettext_noop

from clusters import proxmox
from vms.console import close_codes
from vms.console.client_messages import Filter, control, viewing
from vms.console.close_codes import Ended
from vms.console.server_messages import Pictures
from vms.models import Mode

VERSION = b"RFB 003.008\n"
NO_PASSWORD = b"\x01\x01"  # one security type: none
ACCEPTED = b"\0\0\0\0"
SHARED = b"\x01"
GREET_WITHIN = 10.0
SERVICE_RESTART = 1012

# A browser that takes nothing for so long is gone, although nobody said so. Seconds.
TAKE_WITHIN = 18.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Browser:
    """The websocket of a page, as bytes. Raises `Ended` when it is closed."""

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
                gettext_noop("the portal was stopped") if restarted else gettext_noop("closed by the person"),
            )
        came = message.get("bytes")
        if came is None:
            raise Ended(close_codes.BAD_MESSAGE, "text instead of bytes")
        return bytes(came)

    async def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += await self.receive()
        self._rest = found[count:]
        return found[:count]

    async def send(self, data: bytes) -> None:
        """Returns when the browser is ready for more."""
        try:
            async with asyncio.timeout(TAKE_WITHIN):
                await self._send({"type": "websocket.send", "bytes": data})
        except (OSError, RuntimeError):  # a timeout; closed; closed by the server, which waits for the end of it
            raise Ended(close_codes.NORMAL, gettext_noop("the browser is gone")) from None


async def greet(browser: Browser) -> None:
    """As a display that wants no password: the login of the portal is worth more. Up to the wish to share it."""
    try:
        async with asyncio.timeout(GREET_WITHIN):
            await browser.send(VERSION)
            if await browser.exactly(12) != VERSION:
                raise Ended(close_codes.BAD_MESSAGE, "another version of RFB")
            await browser.send(NO_PASSWORD)
            if await browser.exactly(1) != NO_PASSWORD[1:]:
                raise Ended(close_codes.BAD_MESSAGE, "another security type")
            await browser.send(ACCEPTED)
            await browser.exactly(1)
    except TimeoutError:
        raise Ended(close_codes.BAD_MESSAGE, gettext_noop("no greeting in time")) from None


async def carry(
    browser: Browser, display: proxmox.VncWebsocket, *, mode: str, watch: Callable[[], Awaitable[None]]
) -> None:
    """Both ways at once and the watch, until one of them ends. Always raises: `Ended`, or a `ProxmoxError`."""
    await display.send(SHARED)  # whatever the browser wished: nobody throws the others out
    said = control() if mode == Mode.CONTROL else viewing()
    ways = (_pictures(browser, display, said), _input(browser, display, said), watch())
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _pictures(browser: Browser, display: proxmox.VncWebsocket, said: Filter) -> None:
    pictures = Pictures(lambda: said.pixel_format)
    while True:
        if passing := pictures.feed(await display.receive()):
            await browser.send(passing)


async def _input(browser: Browser, display: proxmox.VncWebsocket, said: Filter) -> None:
    while True:
        if passing := said.feed(await browser.receive()):
            await display.send(passing)
