"""A VNC server (RFB 3.8, RFC 6143): authentication, raw rectangles, keys and the pointer."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest

from pvesim.console import vncauth
from pvesim.console.pixels import PixelFormat, Rectangle, cut, differences, read_format
from pvesim.console.screen import Pointer, Screen, Size, View

Send = Callable[[bytes], Awaitable[None]]

VERSION = b"RFB 003.008\n"
VNC_AUTHENTICATION, VENCRYPT = 2, 19
FAILED = b"Authentication failed\0"
RAW, DESKTOP_SIZE = 0, -223
# Of QEMU: keys with their codes, and the lights of the keyboard.
KEY_CODES, LIGHTS = -258, -261
LONGEST_PASTE = 1 << 20
# How often, in real seconds, a client which waits for news is told what the clock has changed.
POLL_INTERVAL = 0.1


class ProtocolError(Exception):
    """A client which does not speak as it should."""


async def authenticate(reader: asyncio.StreamReader, send: Send, password: str | None, *, plain: bool = True) -> bool:
    """Whether the client knows the password. Nobody does when it is None, or when it is not to be `plain`.

    Without the parameter `websocket` a display expects TLS within VNC, which is left out here: it hangs up then.
    """
    await send(VERSION)
    if await reader.readexactly(12) < b"RFB 003.007\n":
        raise ProtocolError("too old")
    wanted = VNC_AUTHENTICATION if plain else VENCRYPT
    await send(bytes([1, wanted]))
    if (await reader.readexactly(1))[0] != wanted or not plain:
        return False
    challenge = secrets.token_bytes(vncauth.CHALLENGE_SIZE)
    await send(challenge)
    given = await reader.readexactly(vncauth.CHALLENGE_SIZE)
    if password is not None and compare_digest(given, vncauth.response(challenge, password)):
        await send(bytes(4))
        return True
    await send(struct.pack(">II", 1, len(FAILED)) + FAILED)
    return False


@dataclass(frozen=True)
class Source:
    """Where a display takes its picture from: `look` tells what is to be seen at this moment.

    `is_qemu`: unlike the terminal of a container, it takes the codes of keys, and has lights.
    """

    title: str
    screen: Screen
    look: Callable[[], View]
    is_qemu: bool = True


class Display:
    """One client which looks at a guest. It is told only when it has asked, and only what is new."""

    def __init__(self, reader: asyncio.StreamReader, send: Send, source: Source) -> None:
        self._reader, self._send, self._source = reader, send, source
        self._format = PixelFormat()
        self._can_resize = False
        self._offers: list[int] = []
        self._has_lights = False
        self._lights: int | None = None
        self._size: Size = source.look().size
        self._shown: bytes | None = None
        self._asked: Rectangle | None = None
        self._news = asyncio.Event()

    async def run(self) -> None:
        await self._reader.readexactly(1)
        title = self._source.title.encode()
        await self._send(struct.pack(">HH", *self._size) + self._format.packed())
        await self._send(struct.pack(">I", len(title)) + title)
        watchers = self._source.screen.watchers
        watchers.append(self._news.set)
        showing = asyncio.ensure_future(self._show())
        listening = asyncio.ensure_future(self._listen())
        try:
            done, _ = await asyncio.wait({showing, listening}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            watchers.remove(self._news.set)
            showing.cancel()
            listening.cancel()
            await asyncio.gather(showing, listening, return_exceptions=True)

    # --- what the client says ---

    async def _listen(self) -> None:
        while True:
            [kind] = await self._reader.readexactly(1)
            match kind:
                case 0:
                    self._format = read_format((await self._reader.readexactly(19))[3:])
                    self._shown = None
                case 2:
                    await self._take_encodings()
                case 3:
                    self._take_request(await self._fields(">?HHHH"))
                case 4:
                    down, keysym = await self._fields(">?2xI")
                    self._press(keysym, down)
                case 5:
                    buttons, x, y = await self._fields(">BHH")
                    self._source.screen.point(Pointer(x, y, buttons))
                case 6:
                    await self._take_paste()
                case 255:
                    kind, down, keysym, _code = await self._fields(">BHII")
                    if kind != 0:
                        raise ProtocolError(f"message 255 of kind {kind}")
                    self._press(keysym, down)
                case _:
                    raise ProtocolError(f"message {kind}")

    def _press(self, keysym: int, down: int) -> None:
        """A guest that is paused misses it."""
        if self._source.look().status != "paused":
            self._source.screen.press(keysym, bool(down))

    async def _fields(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, await self._reader.readexactly(struct.calcsize(layout)))

    async def _take_encodings(self) -> None:
        [count] = await self._fields(">xH")
        encodings = await self._fields(f">{count}i")
        self._can_resize = DESKTOP_SIZE in encodings
        self._offers = [KEY_CODES] if self._source.is_qemu and KEY_CODES in encodings else []
        self._has_lights = self._source.is_qemu and LIGHTS in encodings
        self._news.set()

    async def _take_paste(self) -> None:
        [length] = await self._fields(">3xI")
        if length > LONGEST_PASTE:
            raise ProtocolError("too much text")
        self._source.screen.paste((await self._reader.readexactly(length)).decode("latin-1"))

    def _take_request(self, request: tuple[int, ...]) -> None:
        incremental, x, y, width, height = request
        if not incremental:
            self._shown = None
        self._asked = (x, y, width, height)
        self._news.set()

    # --- what it is told ---

    async def _show(self) -> None:
        while True:
            # Whoever has not asked waits for news only; whoever has also for the clock.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), POLL_INTERVAL if self._asked else None)
            self._news.clear()
            await self._tell_of_keyboard()
            if self._asked:
                await self._update(self._asked)

    async def _tell_of_keyboard(self) -> None:
        """At once, as QEMU does: that keys may have codes, and which lights are on when that has changed."""
        while self._offers:
            await self._send(struct.pack(">BxHHHHHi", 0, 1, 0, 0, *self._size, self._offers.pop()))
        lights = self._source.screen.lights
        if self._has_lights and lights != self._lights:
            self._lights = lights
            await self._send(struct.pack(">BxHHHHHiB", 0, 1, 0, 0, 1, 1, LIGHTS, lights))

    async def _update(self, entry_node: Rectangle) -> None:
        view = self._source.look()
        if view.size != self._size and self._can_resize:
            self._asked, self._size, self._shown = None, view.size, None
            await self._send(struct.pack(">BxHHHHHi", 0, 1, 0, 0, *self._size, DESKTOP_SIZE))
        elif view.size == self._size:
            await self._paint(self._source.screen.picture(view), entry_node)

    async def _paint(self, picture: bytes, entry_node: Rectangle) -> None:
        whole = (0, 0, *self._size)
        area = _within(entry_node, self._size)
        changed = [area] if self._shown is None else differences(self._shown, picture, self._size)
        if not changed:
            return
        self._asked = None
        # Of whom only a part is known, nothing is known.
        self._shown = picture if self._shown is not None or area == whole else None
        pixel_format = self._format
        await self._send(struct.pack(">BxH", 0, len(changed)))
        for rectangle in changed:
            header = struct.pack(">HHHHi", *rectangle, RAW)
            await self._send(header + pixel_format.encode(cut(picture, self._size, rectangle)))


def _within(area: Rectangle, size: Size) -> Rectangle:
    x, y = min(area[0], size[0]), min(area[1], size[1])
    return x, y, min(area[2], size[0] - x), min(area[3], size[1] - y)
