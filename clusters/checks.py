"""System checks of the clusters room. Those that read the database run with `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from clusters.config import Trust
from clusters.models import Cluster


@register(Tags.security)
def keys_differ(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.SECRET_KEY in settings.FIELD_ENCRYPTION_KEY:
        return [
            checks.Error(
                "FIELD_ENCRYPTION_KEY is the same as SECRET_KEY.",
                hint="Make a key of its own: bin/serve writes both into .env when there is none.",
                id="clusters.E001",
            )
        ]
    return []


@register(Tags.database)
def tls_is_verified(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if "default" not in (databases or []) or not _table_exists():
        return []
    blind = [cluster.name for cluster in Cluster.objects.active() if cluster.trust is Trust.NONE]
    if not blind:
        return []
    return [
        checks.Warning(
            f"The certificate of these clusters is not verified: {', '.join(blind)}.",
            hint="Enter the cluster's CA certificate or fingerprint in the admin.",
            id="clusters.W001",
        )
    ]


def _table_exists() -> bool:
    return Cluster._meta.db_table in connections["default"].introspection.table_names()
