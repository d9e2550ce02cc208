"""The keys that encrypt credentials: checking them, counting the secrets of each, and changing to a new one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models import Model

from accounts import audit
from accounts.encrypted_fields import Secret, SecretUnreadable
from accounts.models import SignInSource
from clusters.models import SECRETS, Adoption, Cluster, ProvisioningAccess

UNREADABLE = -1


@dataclass(frozen=True)
class StoredSecret:
    """A stored secret: whose it is, like “cluster building-a”, and its ciphertext."""

    owner: str
    name: str
    ciphertext: str

    @property
    def key(self) -> int:
        """The position in FIELD_ENCRYPTION_KEY of the key that reads it, or UNREADABLE."""
        return next(
            (n for n, key in enumerate(settings.FIELD_ENCRYPTION_KEY) if _reads(key, self.ciphertext)), UNREADABLE
        )

    @property
    def is_plaintext(self) -> bool:
        """Whether somebody wrote it past the portal: ciphertext always begins so."""
        return not self.ciphertext.startswith("gAAAA")


def _reads(key: str, ciphertext: str) -> bool:
    try:
        Fernet(key).decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


# What apps above this one encrypt: their rows, which name a `cluster_id`, and the column.
_columns: list[tuple[Callable[[], Any], str]] = []


def register(rows: Callable[[], Any], column: str) -> None:
    """Add a column of an app above this one; `rows` gives a queryset of those that have a secret there."""
    _columns.append((rows, column))


def stored() -> list[StoredSecret]:
    own = [
        StoredSecret(f"cluster {cluster.cluster_id}", name, secret.encrypted())
        for cluster in Cluster.objects.order_by("cluster_id")
        for name in SECRETS
        if (secret := getattr(cluster, name))
    ] + [
        StoredSecret(f"cluster {access.cluster.cluster_id}", "making_token_secret", access.token_secret.encrypted())
        for access in ProvisioningAccess.objects.select_related("cluster").order_by("cluster__cluster_id")
        if access.token_secret
    ]
    others = [
        StoredSecret(f"cluster {row.cluster_id}", column, getattr(row, column).encrypted())
        for rows, column in _columns
        for row in rows().order_by("pk")
    ]
    of_sources = [
        StoredSecret(f"sign-in source {source.name}", "secret", source.secret.encrypted()) for source in _sources()
    ]
    return own + others + of_sources


def _sources() -> Any:
    """Sources of sign-in that have a secret, in order."""
    return SignInSource.objects.filter(secret__isnull=False).order_by("pk")


def canary_is_readable() -> bool | None:
    """Whether the key is the one that this database was written with. None: nothing was ever written."""
    adoption = Adoption.objects.first()
    if adoption is None or adoption.canary is None:
        return None
    try:
        return bool(adoption.canary.reveal() == Adoption.CANARY)
    except SecretUnreadable:
        return False


def count() -> Counter[int]:
    """The number of secrets that each key reads; the canary is not counted."""
    return Counter(secret.key for secret in stored())


class RotationRefused(Exception):
    """Nothing was changed; the text says why."""


def rotate() -> int:
    """Encrypt every secret with the newest key, in one transaction. Returns how many were encrypted again.

    Each is read back with the newest key alone before anything is committed. Running it again changes nothing.
    Raises `RotationRefused` when a secret cannot be read at all.
    """
    with transaction.atomic():
        # In the order of imports and of make_default(), so that neither waits for the other for ever.
        for adoption in Adoption.objects.select_for_update():
            adoption.canary = Secret(Adoption.CANARY)  # type: ignore[assignment]
            adoption.save(update_fields=["canary"])
        changed = sum(_rotate_cluster(cluster) for cluster in Cluster.objects.locked())
        changed += sum(map(_rotate_access, ProvisioningAccess.objects.order_by("pk").select_for_update()))
        changed += _rotate_column(_sources(), "secret")
        return changed + sum(_rotate_column(rows(), column) for rows, column in _columns)


def _rotate_cluster(cluster: Cluster) -> int:
    fields = {}
    for name in SECRETS:
        secret = getattr(cluster, name)
        if secret and not _reads(settings.FIELD_ENCRYPTION_KEY[0], secret.encrypted()):
            fields[name] = _re_encrypted(cluster, name, secret)
    if fields:
        # Not save(): the secret is the same, so its version stays, and nobody's login attempts start anew.
        Cluster.objects.filter(pk=cluster.pk).update(**fields, credential_version=cluster.credential_version)
        audit.record(cluster, encryption_key=("an older one", "the newest one"))
    return len(fields)


def _rotate_access(access: ProvisioningAccess) -> int:
    secret = access.token_secret
    if not secret or _reads(settings.FIELD_ENCRYPTION_KEY[0], secret.encrypted()):
        return 0
    fresh = _re_encrypted(access.cluster, "the token for making machines", secret)
    ProvisioningAccess.objects.filter(pk=access.pk).update(token_secret=fresh)
    audit.record(access, encryption_key=("an older one", "the newest one"))
    return 1


def _rotate_column(rows: Any, column: str) -> int:
    changed = 0
    for row in rows.order_by("pk").select_for_update(of=("self",)):
        secret = getattr(row, column)
        if not _reads(settings.FIELD_ENCRYPTION_KEY[0], secret.encrypted()):
            type(row).objects.filter(pk=row.pk).update(**{column: _re_encrypted(row, column, secret)})
            changed += 1
    return changed


def _re_encrypted(whose: Model, name: str, secret: Secret) -> Secret:
    try:
        fresh = Secret(secret.reveal())
    except SecretUnreadable:
        raise RotationRefused(
            f"{getattr(whose, 'name', whose)}: {name} cannot be read with any key of FIELD_ENCRYPTION_KEY. Add the "
            "key that it was written with, or enter the credential again in the admin; then rotate."
        ) from None
    if not _reads(settings.FIELD_ENCRYPTION_KEY[0], fresh.encrypted()):
        raise RotationRefused("The newest key does not read what it wrote. Restart with the key in front first.")
    return fresh
