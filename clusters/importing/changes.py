"""Compares an entry of clusters.json with the stored cluster, field by field, without showing a secret."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from accounts.plans import Note
from clusters.config import ClusterConfig, address_lines
from clusters.models import SECRETS, TARGET, Cluster

PLAIN = (
    "name", "host", "port", "addresses", "user", "token_id", "read_token_id", "verify_ssl", "ca_certificate",
    "fingerprint", "is_active", "is_restricted",
)  # fmt: skip
# The secret that goes with a token's ID: a file that names one without the other says nothing of the token.
TOKENS = {"token_id": "token_secret", "read_token_id": "read_token_secret"}

# A change of one of these sends the credential somewhere else, or on somebody else's word.
MOVES = {*TARGET} - {*TOKENS}

NONE = Note(gettext_noop("none"))
A_CERTIFICATE = Note(gettext_noop("a certificate"))
ANOTHER = Note(gettext_noop("another one"))
REMOVED = Note(gettext_noop("removed, because the file changes the cluster's address and does not contain it"))


@dataclass(frozen=True)
class Change:
    """One field, before and after. What is secret or long is described, never shown."""

    field: str
    before: Note | str
    after: Note | str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


def changes_of(config: ClusterConfig, stored: Cluster) -> tuple[Change, ...]:
    changes = _plain_changes(config, stored)
    changes += _secret_changes(config, stored, moved=any(change.field in MOVES for change in changes))
    return tuple(changes)


def need_secrets(changes: tuple[Change, ...]) -> bool:
    """Whether they may only be applied together with the credential."""
    return any(change.field in {*TARGET, *SECRETS} for change in changes)


def values_of(config: ClusterConfig) -> dict[str, Any]:
    """As a cluster's columns hold them."""
    return {name: _stored_as(config, name) for name in (*PLAIN, *SECRETS)}


def _plain_changes(config: ClusterConfig, stored: Cluster) -> list[Change]:
    """The fields in which the file differs. Fields that it does not mention stay: old files lack certificates."""
    named = [name for name in PLAIN if name in config.given]
    names = [name for name in named if name not in TOKENS or getattr(config, TOKENS[name])]
    if "host" in names and config.host != stored.host and "addresses" not in names:
        names.append("addresses")  # those of the old host
    pairs = [(name, getattr(stored, name), _stored_as(config, name)) for name in names]
    return [Change(name, _shown(name, old), _shown(name, new)) for name, old, new in pairs if old != new]


def _stored_as(config: ClusterConfig, name: str) -> Any:
    return "\n".join(config.addresses) if name == "addresses" else getattr(config, name)


def _secret_changes(config: ClusterConfig, stored: Cluster, *, moved: bool) -> list[Change]:
    """A secret that the file lacks stays, unless the cluster moves: it is not sent to a place that it was not for."""
    found = []
    for token_id, secret in TOKENS.items():
        if moved and getattr(stored, token_id) and not getattr(config, secret):
            found.append(Change(token_id, getattr(stored, token_id), NONE))
    for name in SECRETS:
        new, old = getattr(config, name), getattr(stored, name)
        if new and not new.matches(old):
            found.append(Change(name, "***" if old else NONE, ANOTHER))
        if moved and old and not new:
            found.append(Change(name, "***", REMOVED))
    return found


def _shown(name: str, value: object) -> Note | str:
    if name == "ca_certificate":
        return A_CERTIFICATE if value else NONE
    text = ", ".join(address_lines(str(value))) if name == "addresses" else str(value)
    return (text if text.isprintable() else repr(text)) if text else NONE
