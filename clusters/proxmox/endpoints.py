"""The endpoints of a cluster: connections to each address, and the order in which they are tried.

urllib3 opens and keeps the connections. What it raises is turned into ours here, where it is still known whether
the request had been written.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import ValidationError
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import HTTPResponse

from accounts import concurrency
from clusters.config import ClusterConfig, split_address, validate_host
from clusters.proxmox import certificates, sockets
from clusters.proxmox.errors import (
    CertificateRejected,
    Dropped,
    NameNotFound,
    ProtocolError,
    ProxmoxError,
    TimedOut,
    without_traceback,
)
from clusters.proxmox.hosts import Target
from clusters.sentences import say

MAX_ENDPOINTS = 32
FIRST_BACK_OFF = 5.0
LONGEST_BACK_OFF = 300.0
MAX_REMEMBERED = 1000


class _Response(http.client.HTTPResponse):
    """Answers of a daemon behind pveproxy have two headers: its "close", and pveproxy's "Keep-Alive", which is true."""

    def _check_close(self) -> bool:
        said = self.headers.get_all("Connection", [])
        is_kept = len(said) > 1 and said[-1].lower() == "keep-alive"
        return False if is_kept else bool(super()._check_close())  # type: ignore[misc] # typeshed leaves it out


class _Connection(HTTPSConnection):
    """`answers` counts what came over the present socket, the last at `answered_at` by the monotonic clock."""

    response_class = _Response
    target: Target

    def __init__(self, *args: Any, deadline: sockets.Deadline, pins: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline, self.pins = deadline, pins
        self.answers = 0
        self.answered_at = 0.0

    def _new_conn(self) -> socket.socket:
        sock, self.target = sockets.open_to(self._dns_host, self.port, self.deadline)
        return sock

    def connect(self) -> None:
        self.answers = 0
        try:
            with self.deadline.only(self.deadline.connect_part):
                super().connect()
        except (OSError, SSLError) as error:
            self.close()
            raise self._explained(error) from None
        try:
            certificates.check_pins(self.pins, cast("ssl.SSLSocket", self.sock).getpeercert(binary_form=True) or b"")
        except CertificateRejected:
            self.close()
            raise

    def _explained(self, error: Exception) -> Exception:
        """A failed handshake does not tell what was shown, so that is asked for again."""
        failure = sockets.tls_error(error)
        if isinstance(failure, CertificateRejected):
            failure.presented = certificates.presented_at(self._dns_host, self.target, self.deadline)
        return failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        with self._written():
            super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        with self._written():
            response = super().getresponse()
        self.answers += 1
        self.answered_at = time.monotonic()
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
            raise ProtocolError(say("no-http-head")) from None


class ConnectionPool(HTTPSConnectionPool):
    """Keeps one connection alive, to one address."""

    ConnectionCls = cast("Any", _Connection)

    def __init__(self, host: str, port: int, *, context: sockets.Context, pins: frozenset[str]) -> None:
        super().__init__(host, port, ssl_context=context, deadline=context.deadline, pins=pins)

    def _validate_conn(self, conn: Any) -> None:
        # The stock method also warns, with each request, of trust that somebody chose and the portal shows anyway.
        if conn.is_closed:
            conn.connect()

    def drop_idle(self, *, unless_within: float = 0.0) -> None:
        """Make the next request open a connection of its own, unless this one answered so many seconds ago or less."""
        conn = self._get_conn()
        if not unless_within or time.monotonic() - getattr(conn, "answered_at", 0.0) > unless_within:
            conn.close()
        self._put_conn(conn)


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class EndpointHealth:
    """Recent failures of endpoints, in this process: each one in a row doubles the time that one is avoided."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._avoided: dict[Address, tuple[float, float]] = {}

    def failed(self, address: Address) -> None:
        with self._lock:
            _, pause = self._avoided.get(address, (0.0, FIRST_BACK_OFF / 2))
            pause = min(2 * pause, LONGEST_BACK_OFF)
            if len(self._avoided) >= MAX_REMEMBERED:
                self._avoided.clear()
            self._avoided[address] = time.monotonic() + pause, pause

    def answered(self, address: Address) -> None:
        with self._lock:
            self._avoided.pop(address, None)

    def clear(self) -> None:
        with self._lock:
            self._avoided.clear()

    def avoids(self, address: Address) -> bool:
        return time.monotonic() < self._avoided.get(address, (0.0, 0.0))[0]


endpoint_health = EndpointHealth()


class Endpoint:
    """One address, and the connections to it."""

    is_first = False

    def __init__(self, address: Address, pool: ConnectionPool) -> None:
        self.address, self.pool = address, pool


class Endpoints:
    """The endpoints of one session. `current` is the one that is asked, or was asked last.

    Raises `NameNotFound` and `CertificateRejected` when host or trust of the configuration cannot be used.
    """

    def __init__(self, config: ClusterConfig, deadline: sockets.Deadline) -> None:
        # Before a URL is made of it, which might read it otherwise.
        try:
            validate_host(config.host)
        except ValidationError:
            raise NameNotFound from None
        trusted = certificates.context(config, deadline)
        agreed = certificates.pins(config) if config.fingerprint else frozenset()
        first, *others = [
            Endpoint(address, ConnectionPool(address.host, address.port, context=trusted, pins=agreed))
            for address in addresses(config)
        ]
        first.is_first = True
        self._all = [first, *others]
        self.current = first

    def in_order(self) -> Iterator[tuple[Endpoint, int]]:
        """Each endpoint with how many attempts are left after it. The first has the last one, if there are several."""
        order = sorted(self._all, key=lambda endpoint: endpoint_health.avoids(endpoint.address))
        order += self._all[:1] if len(order) > 1 else []
        for number, endpoint in enumerate(order, start=1):
            self.current = endpoint
            yield endpoint, len(order) - number

    def once_each(self) -> Iterator[tuple[Endpoint, int]]:
        """Each endpoint with how many come after it."""
        for number, endpoint in enumerate(self._all, start=1):
            yield endpoint, len(self._all) - number

    def close(self) -> None:
        for endpoint in self._all:
            endpoint.pool.close()

    def drop_idle(self) -> None:
        for endpoint in self._all:
            endpoint.pool.drop_idle()


def try_each(config: ClusterConfig, *, deadline: float = 10.0) -> dict[Address, ProxmoxError]:
    """Connect to each address and look at its certificate; nothing is sent. What is wrong, by address.

    All addresses share the deadline, in seconds. Raises `NameNotFound` and `CertificateRejected` as `Endpoints` does.
    """
    end = sockets.Deadline(deadline)
    endpoints = Endpoints(config, end)
    end.restart()
    found = {}
    for endpoint, others in endpoints.once_each():
        end.connect_part = 1 / (others + 1)
        if problem := _problem_at(endpoint):
            found[endpoint.address] = problem
    return found


def _problem_at(endpoint: Endpoint) -> ProxmoxError | None:
    conn = endpoint.pool._get_conn()
    try:
        with concurrency.release_slot():
            conn.connect()
    except ProxmoxError as error:
        return without_traceback(error)
    finally:
        conn.close()
        endpoint.pool.close()
    return None


def addresses(config: ClusterConfig) -> tuple[Address, ...]:
    """The configured host, then the others; those that cannot be read are left out."""
    first = Address(config.host, config.port)
    others = (parse_address(text, port=config.port) for text in config.addresses)
    return tuple(dict.fromkeys([first, *filter(None, others)]))[:MAX_ENDPOINTS]


def parse_address(text: str, *, port: int) -> Address | None:
    found = split_address(text)
    return Address(found[0], found[1] or port) if found else None
