"""A real VNC server behind a guest's console: pvesim checks the ticket's password, and knows the server's own."""

from __future__ import annotations

import asyncio
import struct

from pvesim.console import vncauth
from pvesim.console.rfb import VERSION, VNC_AUTHENTICATION, ProtocolError, Send

NONE = 1
PIECE = 64 * 1024


async def relay(reader: asyncio.StreamReader, send: Send, place: tuple[str, int], password: str | None) -> None:
    """Bytes both ways, from where a client says whether it shares, until either side has enough."""
    theirs, to_them = await asyncio.open_connection(*place)
    try:
        await _log_in(theirs, to_them, password)
        ways = {asyncio.ensure_future(_there(reader, to_them)), asyncio.ensure_future(_back(theirs, send))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    finally:
        to_them.close()


async def _there(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


async def _back(reader: asyncio.StreamReader, send: Send) -> None:
    while data := await reader.read(PIECE):
        await send(data)


async def _log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str | None) -> None:
    await reader.readexactly(12)
    writer.write(VERSION)
    [count] = await reader.readexactly(1)
    offered = await reader.readexactly(count)
    if password is not None and VNC_AUTHENTICATION in offered:
        writer.write(bytes([VNC_AUTHENTICATION]))
        writer.write(vncauth.response(await reader.readexactly(vncauth.CHALLENGE_SIZE), password))
    elif NONE in offered:
        writer.write(bytes([NONE]))
    else:
        raise ProtocolError(f"security types {list(offered)}")
    [result] = struct.unpack(">I", await reader.readexactly(4))
    if result != 0:
        raise ProtocolError("the server behind the console does not take the password")
