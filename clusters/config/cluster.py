"""A cluster's configuration as a value, and what its parts have to look like."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from django.core.exceptions import ValidationError

from clusters.fields import Secret

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_USER = re.compile(r"[^\s:/]{1,64}@[A-Za-z][A-Za-z0-9._-]{1,30}")


class Trust(StrEnum):
    """What vouches for a cluster's certificate."""

    FINGERPRINT = "pinned fingerprint"
    CA = "own CA certificate"
    SYSTEM = "system authorities"
    NONE = "not verified"


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Where a cluster is and how to speak to it. Its secrets stay sealed until the gateway opens a session."""

    cluster_id: str
    name: str
    host: str
    user: str
    port: int = 8006
    password: Secret | None = None
    token_id: str = ""
    token_secret: Secret | None = None
    read_token_id: str = ""
    read_token_secret: Secret | None = None
    addresses: tuple[str, ...] = ()
    verify_ssl: bool = False
    ca_certificate: str = ""
    fingerprint: str = ""
    is_default: bool = False
    is_active: bool = True
    credential_version: int = 0
    created_at: datetime | None = field(default=None, compare=False)
    updated_at: datetime | None = field(default=None, compare=False)
    # The keys that a file really had: the others are defaults, which an update does not take for a wish.
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def trust(self) -> Trust:
        if self.fingerprint:
            return Trust.FINGERPRINT
        if self.ca_certificate:
            return Trust.CA
        return Trust.SYSTEM if self.verify_ssl else Trust.NONE

    def to_safe_dict(self) -> dict[str, Any]:
        """The ten keys that old scripts and the API know; times are naive UTC in ISO form."""
        return {
            "id": self.cluster_id,
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "verify_ssl": self.verify_ssl,
            "is_default": self.is_default,
            "is_active": self.is_active,
            "created_at": _naive_utc(self.created_at),
            "updated_at": _naive_utc(self.updated_at),
        }

    def to_dict(self) -> dict[str, Any]:
        """The same and the password in the clear, as old scripts expect. Nothing of the portal calls it."""
        safe = self.to_safe_dict()
        password = self.password.reveal() if self.password else ""
        return {**dict(list(safe.items())[:5]), "password": password, **dict(list(safe.items())[5:])}


def _naive_utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None


# Validators: raise ValidationError, for the model, and for the parser below.


def validate_host(host: str) -> None:
    """Accept an IP address or a DNS name, and nothing that a URL could read otherwise."""
    if not _is_address(host) and not _is_name(host):
        raise ValidationError("Enter an IP address or a host name, without https:// and port.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # behind it the library lets almost anything pass


def _is_name(host: str) -> bool:
    labels = host.split(".")
    # A name whose last label is a number (2130706433, 0x7f.1) is an address in disguise.
    disguised = re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", labels[-1])
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not disguised


def validate_user(user: str) -> None:
    if not _USER.fullmatch(user):
        raise ValidationError("Write the user with its realm, like portal@pve.")


def validate_pem(pem: str) -> None:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValidationError("This is not a certificate in PEM form (-----BEGIN CERTIFICATE-----).") from None
