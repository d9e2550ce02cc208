"""One open console: WebSocket frames on the client's side, the bytes of VNC on the other."""

from __future__ import annotations

import asyncio

from pvesim.console import backend, rfb, websocket
from pvesim.console.consoles import Consoles, Listener
from pvesim.console.pixels import UnsupportedFormatError
from pvesim.console.websocket import BrokenFrameError

# How often, in real seconds, it looks whether there is still a guest.
POLL_INTERVAL = 0.1
PIECE = 64 * 1024
OVER = (ConnectionError, asyncio.IncompleteReadError, OSError, BrokenFrameError, UnsupportedFormatError)


class Session:
    def __init__(
        self, consoles: Consoles, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.listener = listener
        self._consoles = consoles
        self._reader, self._writer = reader, writer
        self._loop = asyncio.get_running_loop()
        self._said = asyncio.StreamReader()
        self._turn = asyncio.Lock()

    def drop(self) -> None:
        """Break the connection off, from any thread."""
        self._loop.call_soon_threadsafe(self._writer.transport.abort)

    async def run(self) -> None:
        """Until the client, the guest or the display has enough. A guest which is off has no display at all."""
        if not self._consoles.is_alive(self.listener):
            return
        self._consoles.opened[self.listener.guest.vmid] += 1
        self._consoles.connections.append(self)
        parts = [asyncio.ensure_future(part) for part in (self._hear(), self._speak(), self._watch())]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._consoles.connections.remove(self)
            for part in parts:
                part.cancel()
            outcomes = await asyncio.gather(*parts, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, (*OVER, rfb.ProtocolError)):
                raise outcome

    async def _hear(self) -> None:
        while True:
            frame = await websocket.read_frame(self._reader)
            match frame.opcode:
                case websocket.TEXT | websocket.BINARY:
                    self._said.feed_data(frame.payload)
                case websocket.CLOSE:
                    return
                case websocket.PING if not self._consoles.is_stalled:
                    await self._send_frame(websocket.PONG, frame.payload)

    async def _speak(self) -> None:
        guest = self.listener.guest
        password = None if self._consoles.rejects_passwords else self.listener.password
        if not await rfb.authenticate(self._said, self._send, password, plain=self.listener.plain):
            return
        if guest.vnc_backend is not None:
            await backend.relay(self._said, self._send, guest.vnc_backend, guest.vnc_password)
        else:
            is_qemu = guest.kind == "qemu"
            title = f"QEMU ({guest.name})" if is_qemu else f"CT {guest.vmid}"
            source = rfb.Source(title, guest.screen, lambda: self._consoles.view(self.listener), is_qemu=is_qemu)
            await rfb.Display(self._said, self._send, source).run()

    async def _watch(self) -> None:
        has_burst = False
        while self._consoles.is_alive(self.listener):
            if self._consoles.oversized and not has_burst:
                has_burst = True
                await self._send_frame(websocket.BINARY, bytes(self._consoles.oversized))
            await asyncio.sleep(POLL_INTERVAL)

    async def _send(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            await self._send_frame(websocket.BINARY, data[start : start + PIECE])

    async def _send_frame(self, opcode: int, payload: bytes) -> None:
        async with self._turn:
            while self._consoles.is_stalled:
                await asyncio.sleep(POLL_INTERVAL)
            frame = websocket.encode(opcode, payload)
            pace = self._consoles.pace
            step = len(frame) if pace is None else max(1, int(pace * POLL_INTERVAL))
            for start in range(0, len(frame), step):
                self._writer.write(frame[start : start + step])
                await self._writer.drain()
                if pace is not None:
                    await asyncio.sleep(POLL_INTERVAL)
