"""Certificates of authorities as text: checked, and kept in a column that takes no private key."""

import re
import ssl
from typing import Any

from cryptography import x509
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

_PEM_BEGIN = re.compile(r"-----BEGIN ([^-]*)-----")
_BARE_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
CERTIFICATES = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}


class CertificatesField(models.TextField):  # type: ignore[type-arg]
    """Certificates are shown, exported and recorded in clear, so a private key is stored in no way: not by a form, a
    fixture or an update.
    """

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, str):
            try:
                validate_no_key(value)
            except ValidationError as error:
                raise ValidationError({self.name: error.messages}) from None
        return super().get_db_prep_save(value, connection)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


def are_authorities(pem: str) -> bool:
    """Whether one of these certificates can be an authority's. Raises `ValidationError` for what is no certificate."""
    validate_no_key(pem)
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except ValueError:  # an error of the TLS library is one
        raise ValidationError(_("This is not a certificate in PEM form (-----BEGIN CERTIFICATE-----).")) from None
    return any(map(_may_vouch, found))


def validate_authorities(pem: str) -> None:
    if not are_authorities(pem):
        raise ValidationError(
            _("This is a server's own certificate, not that of its authority. Paste the authority's certificate.")
        )


def _may_vouch(certificate: x509.Certificate) -> bool:
    """Whether it can be an authority's: one that says so, or that nobody else issued."""
    if certificate.subject == certificate.issuer:
        return True
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except (ValueError, x509.DuplicateExtension):  # then it is not for us to say
        return True


def validate_no_key(pem: str) -> None:
    """Refuses private keys: certificates are shown, exported and recorded in clear."""
    inside = False
    for number, line in enumerate(pem.splitlines(), start=1):
        label = _PEM_BEGIN.search(line)
        if "PRIVATE KEY" in line.upper():
            raise ValidationError(
                _("Line %(line)s: this looks like a private key. Enter only the certificates (BEGIN CERTIFICATE).")
                % {"line": number}
            )
        if (label and label[1] not in CERTIFICATES) or (not inside and _BARE_BASE64.fullmatch(line.strip())):
            raise ValidationError(
                _("Line %(line)s: this is not a certificate. Enter only the certificates (BEGIN CERTIFICATE).")
                % {"line": number}
            )
        inside = bool(label) or (inside and "-----END" not in line)
