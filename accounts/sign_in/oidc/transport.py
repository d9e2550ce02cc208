"""Requests to a provider: by TLS, to a checked address, with one deadline and one limit of size, and no redirects.

A provider's own documents say where the portal goes next, so each address is checked before a socket opens.
"""

import ipaddress
import json
import re
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from accounts.name_lookup import look_up
from accounts.sign_in.oidc.problems import Problem

DEADLINE = 6.0  # seconds for one request, from the name to the last byte
MOST_BYTES = 256 * 1024
VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes
    host: str
    certificate_ends_at: datetime | None = None

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object of the body. Raises `Problem`."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Problem("not-json", host=self.host)
        return found

    @property
    def clock_ahead(self) -> int | None:
        """By how many seconds the server's clock is ahead of ours, by its Date header. None: it tells no date."""
        try:
            return round(parsedate_to_datetime(self.headers["Date"]).timestamp() - time.time())
        except (TypeError, ValueError):
            return None


class _Waits:
    """Waits no longer than the deadline in total. A timeout of the socket alone would begin again with each byte."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        sock: Any = self
        sock.settimeout(_left(sock.ends_at))
        return cast("int", super().recv_into(*args, **kwargs))  # type: ignore[misc]


class _Plain(_Waits, socket.socket):
    ends_at: float


class _Encrypted(_Waits, ssl.SSLSocket):
    ends_at: float


def fetch(address: str, *, ca: str = "", body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """GET, or POST of a form. `ca` is PEM text of a school's own authority. Raises `Problem`."""
    parts = checked(address)
    host, ends_at = parts.hostname or "", time.monotonic() + DEADLINE
    line = HTTPConnection(host, parts.port or (443 if parts.scheme == "https" else 80))
    try:
        line.sock = sock = _connect(parts, ends_at, ca)
        certificate_ends_at = _certificate_end(sock)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept": "application/json", "User-Agent": "Lab Portal", "Connection": "close", **(headers or {})}
        line.request("GET" if body is None else "POST", target, body and body.encode(), sent)
        with line.getresponse() as found:
            read = found.read(MOST_BYTES + 1)
    except TimeoutError:
        raise Problem("timed-out", host=host) from None
    except ssl.SSLCertVerificationError as error:
        raise Problem("certificate", host=host, why=error.verify_message) from None
    except (OSError, HTTPException, ValueError):  # ValueError: what a provider sent fits into no header
        raise Problem("unreachable", host=host) from None
    finally:
        line.close()
    if len(read) > MOST_BYTES:
        raise Problem("too-large", host=host)
    return Answer(found.status, found.headers, read, host, certificate_ends_at)


def checked(address: str) -> SplitResult:
    """The parts of an address that may be asked. Raises `Problem`."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise Problem("not-https", host="") from None
    plain = parts.scheme == "http" and settings.LOOPBACK_ONLY and _is_loopback(host)
    if (
        not host
        or parts.username is not None
        or not (parts.scheme == "https" or plain)
        or not VISIBLE.fullmatch(address)
    ):
        raise Problem("not-https", host=host)
    return parts


def _connect(parts: SplitResult, ends_at: float, ca: str) -> socket.socket:
    host = parts.hostname or ""
    found = look_up(host, parts.port or (443 if parts.scheme == "https" else 80), patience=_left(ends_at))
    if not found:
        raise Problem("no-name", host=host)
    if not all(_may_be_asked(str(address[0])) for *_, address in found):
        raise Problem("address-refused", host=host)
    failure: OSError = ConnectionRefusedError()
    for number, (family, kind, protocol, _name, address) in enumerate(found):
        sock = _Plain(family, kind, protocol)
        sock.ends_at = ends_at
        try:
            sock.settimeout(_left(ends_at) / (len(found) - number))
            sock.connect(address)
            return _encrypted(sock, host, ca) if parts.scheme == "https" else sock
        except OSError as error:
            sock.close()
            failure = error
    if isinstance(failure, ConnectionRefusedError):
        raise Problem("refused", host=host)
    raise failure


def _encrypted(sock: _Plain, host: str, ca: str) -> ssl.SSLSocket:
    sock.settimeout(_left(sock.ends_at))
    wrapped = cast("_Encrypted", _context(ca).wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False))
    wrapped.ends_at = sock.ends_at
    try:
        wrapped.do_handshake()
    except OSError:
        wrapped.close()
        raise
    return wrapped


def _certificate_end(sock: socket.socket) -> datetime | None:
    told = (sock.getpeercert() or {}).get("notAfter") if isinstance(sock, ssl.SSLSocket) else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told)), tz=UTC) if told else None


@lru_cache(maxsize=8)  # to read the system's authorities takes longer than all the rest
def _context(ca: str) -> ssl.SSLContext:
    """A school's own authority is believed beside the system's, not in their place: public names keep working."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Encrypted
    context.load_default_certs()
    if ca:
        context.load_verify_locations(cadata=ca)
    return context


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _may_be_asked(address: str) -> bool:
    """Addresses of machines. Those of a link tell a cloud's secrets, for instance."""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return not (found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved)
