"""Certificates of clusters: fetching and reading one, comparing it with the pinned fingerprints, and trust in TLS."""

import hashlib
import re
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.core.exceptions import ValidationError

from accounts import concurrency
from clusters.config import ClusterConfig, Trust
from clusters.config import pins as agreed_pins
from clusters.proxmox import hosts, sockets
from clusters.proxmox.errors import CertificateRejected, ProxmoxError
from clusters.proxmox.results.coercion import text
from clusters.sentences import say

MAX_NAMES = 100


@dataclass(frozen=True)
class Certificate:
    """A server's certificate. `names` has the host names and addresses that it is for; times are aware, in UTC.

    Everything in it is the server's own word, but `fingerprint` and, where the system knows the issuer,
    `trusted_by_system`.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    pem: str
    self_signed: bool
    trusted_by_system: bool


def fetch_certificate(host: str, port: int, *, deadline: float = 10.0) -> Certificate:
    """The certificate that is served there. Nothing is sent but the handshake of TLS: no credential, no HTTP.

    Raises `Unreachable` of some kind, `ProtocolError`, and `CertificateRejected` for one that cannot be read.
    """
    end = sockets.Deadline(deadline)
    end.restart()
    target, shown = _shown_by(host, port, end)
    return read(shown, trusted_by_system=_is_trusted_by_system(host, target, shown, end))


def read(shown: bytes, *, trusted_by_system: bool = False) -> Certificate:
    try:
        certificate = x509.load_der_x509_certificate(shown)
        return Certificate(
            subject=text(certificate.subject.rfc4514_string(), 500),
            issuer=text(certificate.issuer.rfc4514_string(), 500),
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=fingerprint(shown),
            pem=ssl.DER_cert_to_PEM_cert(shown),
            self_signed=_is_self_signed(certificate),
            trusted_by_system=trusted_by_system,
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm):
        raise CertificateRejected(say("certificate-unreadable"), presented=fingerprint(shown)) from None


def fingerprint(shown: bytes) -> str:
    """SHA-256, in the form AA:BB:…"""
    return _colons(hashlib.sha256(shown).hexdigest())


def pins(config: ClusterConfig) -> frozenset[str]:
    """The fingerprints that were agreed on, any of which will do. Raises `CertificateRejected` for what is none."""
    try:
        return frozenset(agreed_pins(config.fingerprint))
    except ValidationError:
        raise CertificateRejected(say("pin-malformed")) from None


def check_pins(pinned: Collection[str], shown: bytes) -> None:
    """Compare the certificate of a new connection (DER) with the pinned fingerprints; without any, nothing is compared.

    Called before a credential is sent. Raises `CertificateRejected` when none of them is its fingerprint.
    """
    presented = fingerprint(shown)
    if pinned and presented not in pinned:
        raise changed(pinned, presented)


def changed(pinned: Collection[str], shown: str) -> CertificateRejected:
    """Short enough for where it is kept, which is 300 characters."""
    was = next(iter(pinned)) if len(pinned) == 1 else say("one-of-pins", count=len(pinned))
    return CertificateRejected(
        say("certificate-changed", was=was, shown=shown),
        presented=shown,
    )


def context(config: ClusterConfig, deadline: sockets.Deadline) -> sockets.Context:
    """Raises `CertificateRejected` when the CA certificate cannot be used."""
    if config.trust in (Trust.FINGERPRINT, Trust.NONE):
        # A fingerprint is compared after the handshake, whoever signed the certificate.
        return sockets.unverified_context(deadline)
    strict = sockets.new_context(deadline)
    if config.trust is Trust.SYSTEM:
        strict.load_default_certs()
        return strict
    try:
        strict.load_verify_locations(cadata=config.ca_certificate)
    except (ssl.SSLError, ValueError):
        raise CertificateRejected(say("ca-unreadable")) from None
    return strict


def presented_at(host: str, target: hosts.Target, deadline: sockets.Deadline) -> str:
    """The fingerprint of what is shown at this address. Empty when it cannot be learned in time."""
    try:
        return fingerprint(_handshake(host, target, sockets.unverified_context(deadline)))
    except (OSError, ProxmoxError):
        return ""


def _shown_by(host: str, port: int, deadline: sockets.Deadline) -> tuple[hosts.Target, bytes]:
    try:
        with concurrency.release_slot():
            sock, target = sockets.open_to(host, port, deadline)
            sock.close()
            return target, _handshake(host, target, sockets.unverified_context(deadline))
    except OSError as error:  # a timeout is one
        raise sockets.tls_error(error) from None


def _is_trusted_by_system(host: str, target: hosts.Target, shown: bytes, deadline: sockets.Deadline) -> bool:
    strict = sockets.new_context(deadline)
    strict.load_default_certs()
    try:
        with concurrency.release_slot():
            return _handshake(host, target, strict) == shown
    except OSError:
        return False


def _handshake(host: str, target: hosts.Target, context: sockets.Context) -> bytes:
    """The certificate shown in a handshake that this context accepts."""
    with sockets.open_target(target, context.deadline) as sock, context.wrap_socket(sock, server_hostname=host) as tls:
        return tls.getpeercert(binary_form=True) or b""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    hosts_named = extension.value.get_values_for_type(x509.DNSName)
    addresses = map(str, extension.value.get_values_for_type(x509.IPAddress))
    return tuple(text(name) for name in (*hosts_named, *addresses))[:MAX_NAMES]


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _colons(digits: str) -> str:
    return ":".join(re.findall("..", digits.upper()))
