"""The VNC websocket of a guest: to the very address that opened it, with the trust of every other call.

The first steps of the protocol (RFB 3.8: version, password, result) are taken here; what follows is the caller's.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from clusters.config import ClusterConfig
from clusters.proxmox import certificates, error_mapping, errors, sockets
from clusters.proxmox.endpoints import Address

# A cluster ends a connection whose frames are larger than 128 KiB, fragmented or compressed.
MAX_FRAME = 64 * 1024
# What a cluster may send in one piece, and how many pieces wait here for a browser that is slow.
MAX_MESSAGE = 512 * 1024
MAX_WAITING = 16

# How often it is looked whether the cluster says anything, in seconds. In the third look without a word it is dead.
LOOK_EVERY = 6.0

OPEN_WITHIN = 8.0  # a display waits ten seconds for its one connection

RFB_VERSION = b"RFB 003.008\n"
VNC_AUTHENTICATION = 2
MAX_REASON = 200

Exactly = Callable[[int], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]

# The library writes headers into its log. Nothing of it is wanted.
_silent = logging.getLogger("clusters.proxmox.vnc.websocket")
_silent.addFilter(lambda record: False)

# Looking up a name and connecting know a deadline, but no event loop.
_openers = ThreadPoolExecutor(32, thread_name_prefix="vnc")


@dataclass(frozen=True)
class ConsoleEndpoint:
    """The way to a display: once, within ten seconds, from this process. All of it is secret."""

    config: ClusterConfig = field(repr=False)
    address: Address = field(repr=False)
    path: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    password: str = field(repr=False)


class VncWebsocket:
    """Bytes from and to a display that took the password; the next one to send is the client's wish to share it.

    Both ways raise `Dropped` when the connection has ended.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._rest = b""

    async def receive(self) -> bytes:
        """The next bytes, at least one."""
        while not self._rest:
            self._rest = await self._next()
        data, self._rest = self._rest, b""
        return data

    async def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._rest += await self._next()
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    async def send(self, data: bytes) -> None:
        """Returns when the cluster is ready for more."""
        try:
            for start in range(0, len(data), MAX_FRAME):
                await self._connection.send(data[start : start + MAX_FRAME])
        except ConnectionClosed:
            failure = errors.Dropped()
        else:
            return
        raise failure

    async def _next(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed:
            failure = errors.Dropped()
        raise failure


class _Connection(ClientConnection):
    """Compares the certificate before the credential is sent, and knows when it heard anything last."""

    pins: frozenset[str] = frozenset()
    heard = 0.0

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        super().data_received(data)

    async def end_when_dead(self) -> None:
        """Pictures are a sign of life like the answer to a ping, which may stand in line behind many of them."""
        self.heard = self.loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            silence = self.loop.time() - self.heard
            if self.recv_messages.paused:
                self.heard = self.loop.time()  # it is the browser that makes it wait
            elif silence > 1.5 * LOOK_EVERY:
                self.transport.abort()
            elif silence > 0.5 * LOOK_EVERY:
                await self.ping()

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        shown = self.transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        certificates.check_pins(self.pins, shown)
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as refused:
            # Here already, because the library would follow a redirect, with the credential.
            failure = _refusal(refused.response.status_code)
        else:
            return
        raise failure


@asynccontextmanager
async def open_vnc(endpoint: ConsoleEndpoint) -> AsyncIterator[VncWebsocket]:
    """Open it and answer its password. Raises a `ProxmoxError` of whatever kind fits."""
    connection = await _opened(endpoint)
    alive = asyncio.ensure_future(connection.end_when_dead())
    try:
        vnc = VncWebsocket(connection)
        await _log_in(vnc, endpoint.password)
        yield vnc
    finally:
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
        await connection.close()


async def _log_in(vnc: VncWebsocket, password: str) -> None:
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            await _authenticate(vnc.exactly, vnc.send, password)
    except TimeoutError:
        failure = errors.TimedOut(sent=True)
    else:
        return
    raise failure


async def _authenticate(exactly: Exactly, send: Send, password: str) -> None:
    """Logs in to the display, up to where the client says whether it shares the display.

    `exactly(n)` returns n bytes. Raises `ProtocolError` for what is no display of Proxmox VE, and `Refused` when it
    does not take the password.
    """
    banner = await exactly(12)
    if banner != RFB_VERSION:
        raise errors.ProtocolError("the display speaks another protocol than RFB 3.8")
    await send(RFB_VERSION)
    count = (await exactly(1))[0]
    if not count:
        raise errors.Refused(
            f"The display turned the portal away ({await _reason(exactly)}). Try again in half a minute."
        )
    offered = await exactly(count)
    if VNC_AUTHENTICATION not in offered:
        types = ", ".join(map(str, offered[:8]))
        raise errors.ProtocolError(f"the display offers no VNC password, but the security types {types}")
    await send(bytes([VNC_AUTHENTICATION]))
    await send(challenge_response(await exactly(16), password))
    if int.from_bytes(await exactly(4)):
        raise errors.Refused("The display did not take its one-time password. Open the console again.")


def challenge_response(challenge: bytes, password: str) -> bytes:
    """DES with a key of eight characters whose bits are mirrored. It protects nothing, the TLS around it does."""
    key = password.encode("latin-1", "replace")[:8].ljust(8, b"\0")
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    cipher = Cipher(TripleDES(mirrored * 3), modes.ECB()).encryptor()  # noqa: S305 - three times the same is DES
    return cipher.update(challenge) + cipher.finalize()


async def _reason(exactly: Exactly) -> str:
    length = int.from_bytes(await exactly(4))
    text = await exactly(min(length, MAX_REASON))
    return "".join(char for char in text.decode("latin-1") if char.isprintable()) or "without a reason"


async def _opened(endpoint: ConsoleEndpoint) -> _Connection:
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            return await _connect(endpoint)
    except (OSError, InvalidHandshake, InvalidMessage, ConnectionClosed, EOFError, errors.ProxmoxError) as error:
        failure = _explained(error)
    raise errors.without_traceback(failure)  # outside, because what was caught holds headers


async def _connect(endpoint: ConsoleEndpoint) -> _Connection:
    deadline = sockets.Deadline(OPEN_WITHIN)
    deadline.restart()
    pins = certificates.pins(endpoint.config) if endpoint.config.fingerprint else frozenset()
    trusted = certificates.context(endpoint.config, deadline)
    address = endpoint.address
    loop = asyncio.get_running_loop()
    sock = await loop.run_in_executor(_openers, _socket_to, address, deadline)
    opened = await connect(
        f"wss://{address}{endpoint.path}",
        sock=sock,
        ssl=trusted,
        server_hostname=address.host,
        create_connection=type("_Pinned", (_Connection,), {"pins": pins}),
        additional_headers=endpoint.headers,
        user_agent_header=None,
        subprotocols=[Subprotocol("binary")],
        compression=None,
        proxy=None,
        open_timeout=None,
        ping_interval=None,
        close_timeout=2,
        max_size=MAX_MESSAGE,
        max_queue=MAX_WAITING,
        logger=_silent,
    )
    return cast("_Connection", opened)


def _socket_to(address: Address, deadline: sockets.Deadline) -> socket.socket:
    sock, _target = sockets.open_to(address.host, address.port, deadline)
    sock.setblocking(False)
    return sock


def _explained(error: BaseException) -> errors.ProxmoxError:
    if isinstance(error, errors.ProxmoxError):
        return error
    if isinstance(error, ssl.SSLError | TimeoutError):
        return sockets.tls_error(error)
    if isinstance(error, OSError | ConnectionClosed | EOFError | InvalidMessage):
        return errors.Dropped()
    return errors.ProtocolError("its websocket breaks the rules")


def _refusal(status: int) -> errors.ProxmoxError:
    if status >= 400:
        return error_mapping.from_status(status, reason="", errors_by_name={})
    return errors.ProtocolError(f"HTTP status {status} where a display was expected", status=status)
