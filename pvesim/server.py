"""The sockets: reads requests, lets the API answer them, and does the mischief that was asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvesim.api.dispatch import answer, api_path, claimed_identity
from pvesim.faults import Delay, Drip, Fault, Hang, Mischief, Reply, Reset
from pvesim.http import (
    LARGEST_BODY,
    LARGEST_HEAD,
    Message,
    Response,
    UnreadableError,
    read_head,
    refusal,
    write_head,
)
from pvesim.journal import Request, without_secrets

if TYPE_CHECKING:
    from pvesim.cluster import Cluster
    from pvesim.nodes import Node

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
class Server:
    """Serves one port of one node."""

    cluster: Cluster
    node: Node

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(*BROKEN_OFF):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for served in range(1, MOST_REQUESTS + 1):
            message = await asyncio.wait_for(_read_message(reader, writer), IDLE)
            fault = self.cluster.faults.take(message.verb, api_path(message), self.node.name)
            response = self._answer(message, fault)
            last = served == MOST_REQUESTS or message.wants_close
            if not await self._send(writer, response.closing() if last else response, fault):
                return
            if last or response.is_error:
                return

    def _answer(self, message: Message, fault: Fault | None) -> Response:
        """The honest answer, whatever becomes of it; a fault may keep the work from being done."""
        if fault is not None and not fault.executed:
            status = fault.mischief.status if isinstance(fault.mischief, Reply) else 0
            self._record(message, status)
            return Response(status, "")
        response = refusal(message) or self._perform(message)
        self._record(message, 0 if fault and isinstance(fault.mischief, Hang | Reset) else response.status)
        return response.compressed() if message.accepts_gzip else response

    def _perform(self, message: Message) -> Response:
        timeline = self.cluster.timeline
        with timeline.lock:
            timeline.settle()
            return answer(self.cluster, self.node, message)

    def _record(self, message: Message, status: int) -> None:
        form = "" if message.is_json else message.body.decode("utf-8", "replace")
        self.cluster.journal.add(
            Request(
                method=message.verb,
                path=api_path(message),
                query=without_secrets(message.query),
                identity=claimed_identity(message),
                status=status,
                node=self.node.name,
                at=self.cluster.timeline.clock.now(),
                form=without_secrets(form),
            )
        )

    async def _send(self, writer: asyncio.StreamWriter, response: Response, fault: Fault | None) -> bool:
        """Whether the connection may go on afterwards."""
        if fault is not None:
            return await self._misbehave(writer, response, fault.mischief)
        if response.delay:
            await self.cluster.timeline.clock.sleep(response.delay)
        await _write(writer, response.head() + response.body)
        return True

    async def _misbehave(self, writer: asyncio.StreamWriter, response: Response, mischief: Mischief) -> bool:
        match mischief:
            case Delay():
                await self._send_late(writer, response, mischief)
                return True
            case Hang():
                await asyncio.sleep(NEVER)
            case Reset():
                writer.transport.abort()
            case Drip():
                await _trickle(writer, response.head() + response.body, mischief.bytes_per_second)
                return True
            case Reply():
                await _write(writer, _reply_bytes(mischief))
        return False

    async def _send_late(self, writer: asyncio.StreamWriter, response: Response, delay: Delay) -> None:
        early = response.head() if delay.before == "body" else b""
        await _write(writer, early)
        await self.cluster.timeline.clock.sleep(delay.seconds)
        await _write(writer, (response.head() + response.body)[len(early) :])


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
