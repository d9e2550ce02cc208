"""System checks of clusters. Those that read the database run with `check --database default`.

bin/serve, the worker and `bin/manage doctor` run them all.
"""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection

from clusters import importing, keys
from clusters.config import ClusterFileError, Trust, inspect, read_bytes, token_user
from clusters.models import Adoption, Cluster

Apps = Sequence[AppConfig] | None


@register(Tags.security, "portal")
def keys_differ(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.SECRET_KEY not in settings.FIELD_ENCRYPTION_KEY:
        return []
    hint = "Use two different keys: bin/serve writes both to .env when there is no such file."
    return [checks.Error("FIELD_ENCRYPTION_KEY is the same as SECRET_KEY.", hint=hint, id="clusters.E001")]


@register(Tags.database)
def key_is_the_right_one(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not _can_ask(databases, Adoption) or keys.canary_is_readable() is not False:
        return []
    hint = "Use the key that encrypted this database. After restoring a backup, use the key of that time."
    return [
        checks.Error("FIELD_ENCRYPTION_KEY is not the key of this database.", hint=hint, id="clusters.E002")
    ]  # fmt: skip


@register(Tags.database)
def secrets_are_readable(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not _can_ask(databases, Cluster):
        return []
    found: list[CheckMessage] = []
    for secret in keys.stored():
        what = f"{secret.name} of {secret.owner}"
        if secret.is_plaintext:
            hint = (
                "It was written to the database directly. Enter it again in the administration, and change it on "
                "the other side."
            )
            found.append(checks.Error(f"The {what} is stored unencrypted.", hint=hint, id="clusters.E003"))
        elif secret.key == keys.UNREADABLE:
            hint = "What needs it cannot be used. Enter the credential again in the admin, or add the old key."
            found.append(checks.Warning(f"The {what} cannot be read with any key.", hint=hint, id="clusters.W002"))
    return found


@register(Tags.database)
def clusters_are_safe(app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if not _can_ask(databases, Cluster):
        return []
    active = list(Cluster.objects.active())
    found: list[CheckMessage] = []
    if blind := [cluster.name for cluster in active if cluster.trust is Trust.NONE]:
        hint = "Enter the cluster's CA certificate or fingerprint in the admin."
        text = f"The certificate of these clusters is not verified: {', '.join(blind)}."
        found.append(checks.Warning(text, hint=hint, id="clusters.W001"))
    if root := [cluster.name for cluster in active if _acts_as_root(cluster)]:
        hint = "Create a user or token for the portal with only the privileges that it needs."
        text = f"These clusters are used as root@pam: {', '.join(root)}."
        found.append(checks.Warning(text, hint=hint, id="clusters.W003"))
    return found


@register(Tags.security, "portal")
def files_are_private(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    return [
        checks.Warning(f"{path} can be read by other users.", hint=f"chmod 600 {path}", id="clusters.W004")
        for path in private_files()
        if is_readable_by_others(path)
    ]


@register(Tags.security, "portal")
def no_plaintext_file(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    path = importing.find_file()
    try:
        has_plaintext = inspect(read_bytes(path), source=str(path)).has_plaintext
    except (FileNotFoundError, ClusterFileError):
        return []
    if not has_plaintext:
        return []
    hint = f"After the import: bin/manage export_clusters --sealed --output {path}"
    return [checks.Warning(f"{path} contains unencrypted passwords.", hint=hint, id="clusters.W005")]


def private_files() -> list[Path]:
    """Files that hold keys, credentials or the database, as far as they exist."""
    named = list(settings.KEY_FILES)
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        named.append(str(database["NAME"]))
    paths = [settings.BASE_DIR / ".env", importing.find_file(), *map(Path, named)]
    return [path for path in paths if path.is_file()]


def is_readable_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _acts_as_root(cluster: Cluster) -> bool:
    identities = (cluster.token_id if cluster.token_secret else cluster.user, cluster.read_token_id)
    return "root@pam" in map(token_user, identities)


def _can_ask(databases: Sequence[str] | None, model: type[Cluster | Adoption]) -> bool:
    """Whether the database is to be asked, and has every column that the question needs."""
    if "default" not in (databases or []):
        return False
    with connection.cursor() as cursor:
        table = model._meta.db_table
        if table not in connection.introspection.table_names(cursor):
            return False
        present = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    return present >= {field.column for field in model._meta.concrete_fields}
