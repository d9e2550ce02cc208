"""An open port: tells TLS from plain HTTP, and keeps the conversations behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from pvesim.http import Response, UnreadableError, read_head
from pvesim.server import BROKEN_OFF, IDLE, NEVER, Server

BACKLOG = 256
# A client which is slow to shake hands or to say goodbye must not hold up `close()`.
TLS_TIMEOUT = 10.0
TLS_HANDSHAKE = b"\x16"
# A fatal alert of TLS 1.0: protocol version.
WRONG_VERSION = b"\x15\x03\x01\x00\x02\x02\x46"
LONGEST_LINE = 1 << 16


class Acceptor:
    def __init__(self, server: Server, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self._acceptor: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], socket.socket] = {}

    async def open(self) -> None:
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._acceptor = asyncio.ensure_future(self._accept())

    async def close(self, *, keep_consoles: bool = False) -> None:
        """With `keep_consoles`, websockets that are open live on, as with a proxy that is stopped."""
        kept = self._server.consoles if keep_consoles else set()
        ended = [task for task in self._connections if task not in kept]
        waiting = [*([self._acceptor] if self._acceptor else []), *ended]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            connection.setblocking(False)
            connection_task = asyncio.ensure_future(self._handle(connection))
            self._connections[connection_task] = connection
            connection_task.add_done_callback(self._forget)

    def _forget(self, connection_task: asyncio.Task[None]) -> None:
        self._connections.pop(connection_task).close()

    async def _handle(self, connection: socket.socket) -> None:
        port_behaviour = self._server.node.port_behaviour
        if port_behaviour == "unresponsive":
            await asyncio.sleep(NEVER)
        if port_behaviour == "closing":
            return
        with suppress(*BROKEN_OFF, OSError):
            first = await asyncio.wait_for(_first_byte(connection), TLS_TIMEOUT)
            if first == TLS_HANDSHAKE and port_behaviour == "tls-1.0":
                await _answer_plainly(connection, lambda _: WRONG_VERSION)
            elif first == TLS_HANDSHAKE:
                await self._speak_tls(connection)
            elif first:
                await _answer_plainly(connection, _redirection)

    async def _speak_tls(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._server.node.context,
            ssl_handshake_timeout=TLS_TIMEOUT,
            ssl_shutdown_timeout=1.0,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._server.serve(reader, writer)
            with suppress(*BROKEN_OFF, OSError):
                await writer.wait_closed()
        except asyncio.CancelledError:
            transport.abort()
            raise


async def _first_byte(connection: socket.socket) -> bytes:
    """Look at it, and leave it there for whoever reads next."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def _answer_plainly(connection: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        writer.write(answer(await asyncio.wait_for(reader.read(LONGEST_LINE), IDLE)))
        await writer.drain()
    finally:
        writer.close()


def _redirection(request: bytes) -> bytes:
    """Plain HTTP is told where to go instead."""
    message = read_head(request.partition(b"\r\n\r\n")[0])
    if not message.version.startswith("HTTP/1."):
        raise UnreadableError
    status, reason = (301, "Moved Permanently") if message.verb in ("GET", "HEAD") else (308, "Permanent Redirect")
    place = f"https://{message.headers.get('host', '')}{message.target}"
    response = Response(status, reason, reason.encode(), headers=(("Location", place),)).closing()
    return response.head() + response.body
