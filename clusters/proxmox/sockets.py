"""Sockets to one checked address, with an end to every wait."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from urllib3.exceptions import SSLError

from clusters.proxmox import hosts
from clusters.proxmox.errors import (
    CertificateRejected,
    ConnectionRefused,
    NameNotFound,
    ProtocolError,
    ProxmoxError,
    TimedOut,
    Unreachable,
)
from clusters.sentences import say


class Deadline:
    """The end of the present call. Setting it anew begins a call.

    `connect_part` is how much of what is left an attempt to connect may take: less than all when others may follow.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.connect_part = 1.0
        self._end = 0.0

    def restart(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def is_over(self) -> bool:
        return self._end <= time.monotonic()

    def left(self) -> float:
        """Seconds. Raises `TimeoutError` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    @contextmanager
    def only(self, part: float) -> Iterator[None]:
        """Within it, the end is after this part of what is left."""
        end = self._end
        now = time.monotonic()
        self._end = now + part * max(0.0, end - now)
        try:
            yield
        finally:
            self._end = end


class Context(ssl.SSLContext):
    deadline: Deadline


class _Socket(ssl.SSLSocket):
    """Waits no longer than the deadline in total. A timeout of the socket alone would begin again with each byte."""

    def _apply_deadline(self) -> None:
        self.settimeout(cast("Context", self.context).deadline.left())

    def do_handshake(self, block: bool = False) -> None:
        self._apply_deadline()
        super().do_handshake(block)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._apply_deadline()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._apply_deadline()
        return super().send(*args, **kwargs)


def new_context(deadline: Deadline) -> Context:
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _Socket
    context.deadline = deadline
    return context


def unverified_context(deadline: Deadline) -> Context:
    """Takes whatever certificate comes: for looking at it, or where something else vouches for it."""
    context = new_context(deadline)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_to(host: str, port: int, deadline: Deadline) -> tuple[socket.socket, hosts.Target]:
    """A connection to the first address of the host that accepts one; all of them share the deadline."""
    targets = hosts.resolve(host, port, patience=deadline.left())
    failure: ProxmoxError = NameNotFound()
    for number, target in enumerate(targets):
        try:
            with deadline.only(1 / (len(targets) - number)):
                return open_target(target, deadline), target
        except OSError as error:
            failure = _not_connected(error)
    raise failure


def open_target(target: hosts.Target, deadline: Deadline) -> socket.socket:
    sock = socket.socket(target.family, target.kind, target.protocol)
    try:
        sock.settimeout(deadline.left())
        sock.connect(target.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _not_connected(error: OSError) -> ProxmoxError:
    if isinstance(error, TimeoutError):
        return TimedOut(sent=False)
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused()
    return Unreachable(say("no-way", why=error.strerror or say("network-error")))


def tls_error(error: Exception) -> ProxmoxError:
    """The portal's error for a failed TLS connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or say("verification-failed")
        return CertificateRejected(say("certificate-not-trusted-because", why=why))
    if isinstance(error, SSLError):
        return CertificateRejected(say("certificate-not-trusted"))
    if isinstance(error, TimeoutError):
        return TimedOut(sent=False)
    # Python before 3.11.3 takes an end without a word for one in good order.
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return Unreachable(say("closed-before-tls"))
    return ProtocolError(say("no-tls"), sent=False)
