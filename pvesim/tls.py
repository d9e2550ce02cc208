"""A certificate authority for each cluster, and the certificates of its nodes."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
NODE_LIFE = timedelta(days=730)
BACKDATED = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    x509: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> str:
        return self.x509.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.x509.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
        return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))

    @property
    def names(self) -> list[str]:
        try:
            extension = self.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return []
        addresses = [ip.exploded for ip in extension.value.get_values_for_type(x509.IPAddress)]
        return addresses + extension.value.get_values_for_type(x509.DNSName)


class Authority:
    """The CA of one cluster."""

    def __init__(self, unit: str) -> None:
        self.certificate = _authority_certificate(unit)

    def issue(self, node: str, *, names: Sequence[str] | None = None, is_over: bool = False) -> Certificate:
        """For the node and its addresses, or for other names; one which is over ended yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.x509
        life = timedelta(0) if is_over else NODE_LIFE
        builder = (
            _builder(_name((NameOID.COMMON_NAME, node)), issuer.subject, key, life)
            .add_extension(_alternative_names(node) if names is None else _only_names(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.key.public_key()),
                critical=False,
            )
        )
        return Certificate(builder.sign(self.certificate.key, hashes.SHA256()), key)


def load_into(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Serve this certificate from the next handshake on; `ssl` takes it from files only."""
    with tempfile.TemporaryDirectory(prefix="pvesim-") as folder:
        pair = Path(folder, "pair.pem")
        pair.touch(mode=0o600)
        pair.write_text(certificate.key_pem + certificate.pem)
        context.load_cert_chain(pair)


def server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_into(context, certificate)
    return context


def _authority_certificate(unit: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(
        (NameOID.COMMON_NAME, "Proxmox Virtual Environment"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.ORGANIZATION_NAME, "PVE Cluster Manager CA"),
    )
    builder = (
        _builder(name, name, key, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_signing_only(), critical=True)
    )
    return Certificate(builder.sign(key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    # The client checks the validity by its own clock, so this is the real time whatever the simulated one.
    began = datetime.now(UTC) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _alternative_names(node: str) -> x509.SubjectAlternativeName:
    addresses = [x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName([*addresses, *map(x509.DNSName, ("localhost", node))])


def _only_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(map(x509.DNSName, names))


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
