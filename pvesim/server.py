"""The sockets: reads requests, lets the API answer them, and injects faults."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from pvesim.api.dispatch import answer, api_path, claimed_identity
from pvesim.clock import Clock
from pvesim.cluster import Cluster
from pvesim.console import websocket
from pvesim.console.consoles import Listener
from pvesim.console.session import Session
from pvesim.faults.responses import Delay, Drip, Fault, Hang, Reply, Reset, Rewrite, Then, Truncate
from pvesim.http import (
    LARGEST_BODY,
    LARGEST_HEAD,
    Message,
    Response,
    UnreadableError,
    read_head,
    refusal,
    text_response,
    write_head,
)
from pvesim.nodes import Node
from pvesim.request_log import Request, without_secrets

MOST_REQUESTS = 100
IDLE = 5.0
NEVER = 86400.0
BROKEN_OFF = (
    ConnectionError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    TimeoutError,
    UnreadableError,
)


@dataclass(frozen=True)
class Upgrade(Response):
    """The connection becomes a websocket, and leads to a display."""

    listener: Listener | None = None

    def head(self) -> bytes:
        return write_head(self.status, self.reason, list(self.headers))


@dataclass(frozen=True)
class Server:
    """Serves one port of one node."""

    cluster: Cluster
    node: Node
    consoles: set[asyncio.Task[object] | None] = field(default_factory=set, compare=False)

    @property
    def clock(self) -> Clock:
        return self.cluster.timeline.clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(*BROKEN_OFF):
                await self._handle(reader, writer)
        finally:
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for served in range(1, MOST_REQUESTS + 1):
            message = await asyncio.wait_for(_read_message(reader, writer), IDLE)
            # Delays count from here: whoever sees the request in the request log may turn the clock at once.
            arrived = self.clock.now()
            fault = self.cluster.faults.take(message.verb, api_path(message), self.node.name, reused=served > 1)
            response = self._answer(message, fault, arrived)
            last = served == MOST_REQUESTS or message.wants_close
            if last:
                response = response.closing()
            if isinstance(response, Upgrade):
                return await self._open_console(reader, writer, response, fault, arrived)
            if not await self._send(writer, response, fault, arrived) or last or response.is_error:
                return None
        return None

    async def _open_console(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        response: Upgrade,
        fault: Fault | None,
        arrived: float,
    ) -> None:
        task = asyncio.current_task()
        self.consoles.add(task)
        try:
            await self._relay_console(reader, writer, response, fault, arrived)
        finally:
            self.consoles.discard(task)

    async def _relay_console(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        response: Upgrade,
        fault: Fault | None,
        arrived: float,
    ) -> None:
        if response.listener is None:
            return await self.clock.wait_until(arrived + response.delay)
        try:
            if await self._send(writer, response, fault, arrived):
                await Session(self.cluster.consoles, response.listener, reader, writer).run()
        finally:
            self.cluster.consoles.end(response.listener)
        return None

    def _answer(self, message: Message, fault: Fault | None, arrived: float) -> Response:
        """The honest answer, whatever becomes of it; a fault may keep the work from being done."""
        if fault is not None and not fault.executed:
            status = fault.effect.status if isinstance(fault.effect, Reply) else 0
            self._record(message, status, arrived)
            return Response(status, "")
        response = refusal(message) or self._perform(message)
        effect = fault.effect if fault else None
        if isinstance(effect, Rewrite):
            response = effect.rewrite(response)
        self._record(message, 0 if isinstance(effect, Hang | Reset) else response.status, arrived)
        if isinstance(effect, Then):
            effect.action()
        return response.compressed() if message.accepts_gzip else response

    def _perform(self, message: Message) -> Response:
        timeline = self.cluster.timeline
        with timeline.lock:
            timeline.settle()
            response = answer(self.cluster, self.node, message)
            if response.tunnel is None or not websocket.is_wanted(message.headers):
                return response
            return self._upgrade(message, response.tunnel)

    def _upgrade(self, message: Message, port: int) -> Response:
        """Where nothing listens any more, the connection ends after a while without an answer."""
        complaint = websocket.complaint(message.headers)
        if complaint:
            return text_response(500, complaint)
        listener = self.cluster.consoles.take(self.node.name, port)
        if listener is None:
            return Upgrade(0, "", delay=self.cluster.console_delay)
        headers = tuple(websocket.handshake(message.headers))
        return Upgrade(101, "Switching Protocols", headers=headers, listener=listener)

    def _record(self, message: Message, status: int, arrived: float) -> None:
        form = "" if message.is_json else message.body.decode("utf-8", "replace")
        self.cluster.request_log.add(
            Request(
                method=message.verb,
                path=api_path(message),
                query=without_secrets(message.query),
                identity=claimed_identity(message),
                status=status,
                node=self.node.name,
                at=arrived,
                form=without_secrets(form),
            )
        )

    async def _send(
        self, writer: asyncio.StreamWriter, response: Response, fault: Fault | None, arrived: float
    ) -> bool:
        """Whether the connection may go on afterwards."""
        content = response.head() + response.body
        match fault.effect if fault else None:
            case None | Rewrite() | Then():
                await self._send_after(writer, content, arrived + response.delay)
            case Delay(seconds, "body"):
                await _write(writer, response.head())
                await self._send_after(writer, response.body, arrived + seconds)
            case Delay(seconds):
                await self._send_after(writer, content, arrived + seconds)
            case Truncate(share):
                await _write(writer, response.head() + response.body[: int(len(response.body) * share)])
                return False
            case Drip(bytes_per_second):
                await _trickle(writer, content, bytes_per_second)
            case effect:
                await _send_effect(writer, effect)
                return False
        return True

    async def _send_after(self, writer: asyncio.StreamWriter, content: bytes, moment: float) -> None:
        await self.clock.wait_until(moment)
        await _write(writer, content)


async def _send_effect(writer: asyncio.StreamWriter, effect: Hang | Reset | Reply) -> None:
    match effect:
        case Hang():
            await asyncio.sleep(NEVER)
        case Reset():
            writer.transport.abort()
        case Reply():
            await _write(writer, _reply_bytes(effect))


async def _read_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message:
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > LARGEST_HEAD:
        raise UnreadableError
    message = read_head(head[:-4])
    length = _content_length(message)
    if message.headers.get("expect", "").lower() == "100-continue":
        await _write(writer, b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(length)
    return Message(message.verb, message.target, message.version, message.headers, body)


def _content_length(message: Message) -> int:
    text = message.headers.get("content-length", "0")
    if not text.isdecimal() or int(text) > LARGEST_BODY:
        raise UnreadableError
    return int(text)


async def _write(writer: asyncio.StreamWriter, content: bytes) -> None:
    if content:
        writer.write(content)
        await writer.drain()


async def _trickle(writer: asyncio.StreamWriter, content: bytes, bytes_per_second: float) -> None:
    for position in range(len(content)):
        await _write(writer, content[position : position + 1])
        await asyncio.sleep(1 / bytes_per_second)


def _reply_bytes(reply: Reply) -> bytes:
    headers = list(reply.headers)
    if not any(name.lower() == "content-length" for name, _ in headers):
        headers.append(("Content-Length", str(len(reply.body))))
    headers.append(("Connection", "close"))
    return write_head(reply.status, reply.reason, headers) + reply.body
