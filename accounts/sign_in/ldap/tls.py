"""Looks at a server and its certificate before OpenLDAP's library does.

To that library a rejected certificate is a server that does not answer; and a server that takes a connection and stays
silent blocks it for ever while it negotiates TLS, whatever timeouts are set; so may a name server. The library looks
the name up once more, of a name server that has just answered.
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from accounts import name_lookup
from accounts.models.sources import SignInSource

# The extended request "start TLS" (RFC 4511) with message id 1, and the result code 0 in its answer.
_START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
_SUCCESS = bytes.fromhex("0a0100")

PORTS = {"ldap": 389, "ldaps": 636}


class CannotStartTls(Exception):
    """The server refuses to encrypt the connection."""


@dataclass(frozen=True)
class Presented:
    """`problem` is the reason of OpenSSL, empty where the certificate is trusted; only then `ends_at` is known."""

    problem: str = ""
    ends_at: datetime | None = None
    names: tuple[str, ...] = ()


def address(uri: str) -> tuple[str, int]:
    parts = urlsplit(uri)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def certificate(source: SignInSource, uri: str, seconds: float) -> Presented | None:
    """None: this connection has no TLS. Raises `OSError` where there is no server, and `CannotStartTls`."""
    if not (uri.startswith("ldaps:") or source.start_tls):
        return None
    host, port = address(uri)
    context = ssl.create_default_context(cadata=source.ca_certificates.strip() or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # authorities of schools are old, and Python 3.13 is strict
    with name_lookup.connect(host, port, patience=seconds) as plain:
        if uri.startswith("ldap:"):
            _start_tls(plain)
        try:
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                return _told(wrapped.getpeercert() or {})
        except ssl.SSLCertVerificationError as error:
            return Presented(problem=error.verify_message.rstrip("."))
        except ssl.SSLError as error:
            return Presented(problem=error.reason or type(error).__name__)


def _start_tls(plain: socket.socket) -> None:
    plain.sendall(_START_TLS)
    if _SUCCESS not in plain.recv(4096):
        raise CannotStartTls


def _told(certificate: Mapping[str, object]) -> Presented:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    listed = certificate.get("subjectAltName")
    return Presented("", ends, tuple(value for _kind, value in listed) if isinstance(listed, tuple) else ())
