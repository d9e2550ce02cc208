"""Connections to one address of a cluster, for HTTP.

urllib3 opens and keeps the connections. What it raises is turned into ours here, where it is still known whether
the request had been written.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.utils.translation import gettext_noop
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import HTTPResponse

from clusters.proxmox import certificates, sockets
from clusters.proxmox.errors import CertificateRejected, Dropped, ProtocolError, TimedOut
from clusters.proxmox.hosts import Target


class _Connection(HTTPSConnection):
    """`answers` counts what came over the present socket."""

    target: Target

    def __init__(self, *args: Any, deadline: sockets.Deadline, pins: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline, self.pins = deadline, pins
        self.answers = 0

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
        self._compare_with_pins()

    def _compare_with_pins(self) -> None:
        shown = certificates.fingerprint(cast("ssl.SSLSocket", self.sock).getpeercert(binary_form=True) or b"")
        if self.pins and shown not in self.pins:
            self.close()
            raise certificates.changed(self.pins, shown)

    def _explained(self, error: Exception) -> Exception:
        """A failed handshake does not tell what was shown, so that is asked for again."""
        failure = sockets.not_secured(error)
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
            raise ProtocolError(gettext_noop("its head is not HTTP")) from None


class Pool(HTTPSConnectionPool):
    """Keeps one connection alive, to one address."""

    ConnectionCls = cast("Any", _Connection)

    def __init__(self, host: str, port: int, *, context: sockets.Context, pins: frozenset[str]) -> None:
        super().__init__(host, port, ssl_context=context, deadline=context.deadline, pins=pins)

    def _validate_conn(self, conn: Any) -> None:
        # The stock method also warns, with each request, of trust that somebody chose and the portal shows anyway.
        if conn.is_closed:
            conn.connect()

    def drop_idle(self) -> None:
        """Make the next request open a connection of its own."""
        conn = self._get_conn()
        conn.close()
        self._put_conn(conn)
