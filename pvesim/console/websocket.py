"""WebSocket as the proxy daemon of Proxmox VE speaks it, which takes little and forgives nothing."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LARGEST_PAYLOAD = 128 * 1024


class BrokenFrameError(Exception):
    """The daemon closes the connection without a word."""


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes


def is_wanted(headers: Mapping[str, str]) -> bool:
    return headers.get("upgrade", "").lower() == "websocket"


def complaint(headers: Mapping[str, str]) -> str | None:
    """What the handshake lacks."""
    if headers.get("sec-websocket-version") != "13":
        return f"unsupported websocket version '{headers.get('sec-websocket-version', '')}'"
    return None if headers.get("sec-websocket-key") else "missing websocket key"


def handshake(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of the answer. A subprotocol is echoed, whatever it is."""
    key = headers["sec-websocket-key"] + GUID
    accept = b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
    pairs = [("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Accept", accept)]
    protocol = headers.get("sec-websocket-protocol")
    return [*pairs, ("Sec-WebSocket-Protocol", protocol)] if protocol else pairs


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    first, second = await reader.readexactly(2)
    if not first & 0x80 or first & 0x70 or not second & 0x80:
        raise BrokenFrameError("fragmented, compressed or unmasked")
    length = second & 0x7F
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    if length > LARGEST_PAYLOAD:
        raise BrokenFrameError("too large")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    return Frame(first & 0x0F, _unmasked(payload, mask))


def encode(opcode: int, payload: bytes) -> bytes:
    """A frame from the server: whole, and without a mask."""
    length = len(payload)
    if length < 126:
        size = bytes([length])
    elif length < 1 << 16:
        size = b"\x7e" + length.to_bytes(2)
    else:
        size = b"\x7f" + length.to_bytes(8)
    return bytes([0x80 | opcode]) + size + payload


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(stream)).to_bytes(len(payload))
