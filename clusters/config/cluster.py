"""A cluster's configuration as a value."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.encrypted_fields import Secret
from clusters.sentences import say


class Trust(StrEnum):
    """The ways to verify a cluster's certificate, in English; a page says `label`."""

    FINGERPRINT = gettext_noop("pinned fingerprint")
    CA = gettext_noop("own CA certificate")
    SYSTEM = gettext_noop("system authorities")
    NONE = gettext_noop("not verified")

    @property
    def label(self) -> str:
        return _(self.value)

    @classmethod
    def by(cls, fingerprint: str, ca_certificate: str, *, verify_ssl: bool) -> "Trust":
        if fingerprint:
            return cls.FINGERPRINT
        if ca_certificate:
            return cls.CA
        return cls.SYSTEM if verify_ssl else cls.NONE


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """A cluster's address and credentials. Its secrets stay encrypted until the gateway opens a session."""

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
    is_restricted: bool = False
    credential_version: int = 0
    created_at: datetime | None = field(default=None, compare=False)
    updated_at: datetime | None = field(default=None, compare=False)
    # Whether the token is the one for reading only, which is accepted and rejected by itself.
    reads_only: bool = False
    # Whether it is the one for making machines.
    makes: bool = False
    # What the cluster may know although this does not speak by it.
    put_aside: tuple[Secret, ...] = field(default=(), compare=False)
    # So many of `addresses`, the last ones, the cluster told itself.
    learned: int = field(default=0, compare=False)
    # The keys that a file really had: the others are defaults, which an update does not take for a wish.
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def for_reading(self) -> Self:
        """This configuration with the read-only token in the place of the other credential, if there is one."""
        if not self.read_token_id or not self.read_token_secret:
            return self
        return replace(
            self,
            token_id=self.read_token_id,
            token_secret=self.read_token_secret,
            reads_only=True,
            put_aside=self.secrets,
        )

    def for_making(self, *, token_id: str, token_secret: Secret, version: int) -> Self:
        """This configuration with the token that makes machines in the place of every other credential."""
        return replace(
            self,
            password=None,
            token_id=token_id,
            token_secret=token_secret,
            read_token_id="",
            read_token_secret=None,
            credential_version=version,
            makes=True,
            put_aside=self.secrets,
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All of them, still encrypted: a cluster may repeat one that it was sent at another time."""
        held = (self.password, self.token_secret, self.read_token_secret, *self.put_aside)
        return tuple(dict.fromkeys(secret for secret in held if secret))

    @property
    def credential_name(self) -> str:
        """The name of the credential that is used, as people know it."""
        if self.makes:
            return say("of-making-token")
        return say("of-read-only-token") if self.reads_only else say("of-credential")

    @property
    def trust(self) -> Trust:
        return Trust.by(self.fingerprint, self.ca_certificate, verify_ssl=self.verify_ssl)

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
        """The configuration with the password in the clear, as old scripts expect. Nothing of the portal calls it."""
        safe = self.to_safe_dict()
        password = self.password.reveal() if self.password else ""
        return {**dict(list(safe.items())[:5]), "password": password, **dict(list(safe.items())[5:])}


def _naive_utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None
