"""Connections to one cluster: whom to trust, and an end to every wait.

urllib3 opens and keeps the connections. What it raises is turned into ours here, where it is still known whether
the request had been written.
"""

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.core.exceptions import ValidationError
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import HTTPResponse

from clusters.config import ClusterConfig, Trust, validate_host
from clusters.proxmox.errors import (
    BadAnswer,
    ConnectionRefused,
    Dropped,
    NameNotFound,
    ProxmoxError,
    TimedOut,
    Unreachable,
    Untrusted,
)

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}")


class Deadline:
    """The end of the present call. Setting it anew begins a call."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = 0.0

    def restart(self) -> None:
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds. Raises `TimeoutError` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Context(ssl.SSLContext):
    deadline: Deadline


class _Socket(ssl.SSLSocket):
    """Waits no longer than the deadline in total. A timeout of the socket alone would begin again with each byte."""

    def _hurry(self) -> None:
        self.settimeout(cast("_Context", self.context).deadline.left())

    def do_handshake(self, block: bool = False) -> None:
        self._hurry()
        super().do_handshake(block)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._hurry()
        return super().send(*args, **kwargs)


class _Connection(HTTPSConnection):
    """`answers` counts what came over the present socket."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline = deadline
        self.answers = 0

    def _new_conn(self) -> socket.socket:
        """One deadline for all addresses of the name together."""
        failure: ProxmoxError = NameNotFound()
        for family, kind, protocol, _, address in _addresses(self._dns_host, self.port):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self.deadline.left())
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                failure = _not_connected(error)
            else:
                return sock
        raise failure

    def connect(self) -> None:
        self.answers = 0
        try:
            super().connect()
        except (OSError, SSLError) as error:
            self.close()
            raise _not_secured(error) from None

    def request(self, *args: Any, **kwargs: Any) -> None:
        with self._written():
            super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        with self._written():
            response = super().getresponse()
        self.answers += 1
        return response

    @contextmanager
    def _written(self) -> Iterator[None]:
        """From the first byte of the request on, the cluster may have it."""
        try:
            yield
        except TimeoutError:
            raise TimedOut(sent=True) from None
        except (http.client.RemoteDisconnected, OSError):
            raise Dropped(reused=self.answers > 0) from None
        except (http.client.HTTPException, HTTPError):
            raise BadAnswer("its head is not HTTP") from None


class Pool(HTTPSConnectionPool):
    """Keeps one connection alive, to the one address of the configuration."""

    ConnectionCls = cast("Any", _Connection)

    def _validate_conn(self, conn: Any) -> None:
        # The stock method also warns, with each request, of trust that somebody chose and the portal shows anyway.
        if conn.is_closed:
            conn.connect()

    def drop_idle(self) -> None:
        """Make the next request open a connection of its own."""
        conn = self._get_conn()
        conn.close()
        self._put_conn(conn)


def pool(config: ClusterConfig, deadline: Deadline) -> Pool:
    """Connections that trust what the configuration says. Raises when that or the host's name cannot be used."""
    try:
        validate_host(config.host)
    except ValidationError:
        raise NameNotFound from None
    context = _context(config)
    context.deadline = deadline
    fingerprint = None
    if config.trust is Trust.FINGERPRINT:
        fingerprint = config.fingerprint.replace(":", "")
        # A shorter one would be compared as MD5 or SHA-1.
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise Untrusted("The pinned fingerprint is not one of SHA-256.")
    return Pool(config.host, config.port, ssl_context=context, assert_fingerprint=fingerprint, deadline=deadline)


def _context(config: ClusterConfig) -> _Context:
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _Socket
    if config.trust is Trust.SYSTEM:
        context.load_default_certs()
    elif config.trust is Trust.CA:
        try:
            context.load_verify_locations(cadata=config.ca_certificate)
        except (ssl.SSLError, ValueError):
            raise Untrusted("The CA certificate in the cluster's settings cannot be read.") from None
    else:
        # A fingerprint is compared after the handshake, whoever signed the certificate.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _addresses(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameNotFound from None


def _not_connected(error: OSError) -> ProxmoxError:
    if isinstance(error, TimeoutError):
        return TimedOut(sent=False)
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused()
    return Unreachable(
        f"There is no way to the cluster ({error.strerror or 'network error'}). Check host and port, and the network."
    )


def _not_secured(error: Exception) -> ProxmoxError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Untrusted(f"The cluster's certificate is not trusted ({error.verify_message or 'verification failed'}).")
    if isinstance(error, SSLError):
        return Untrusted("The cluster shows another certificate than the pinned one.")
    if isinstance(error, TimeoutError):
        return TimedOut(sent=False)
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return Unreachable(
            "The cluster closed the connection before it was secured. Check whether its ALLOW_FROM or DENY_FROM "
            "rules keep the portal out."
        )
    return BadAnswer("it does not speak TLS as expected", sent=False)
