"""System checks of the machines' room that read the database: they run with `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection
from django.db.migrations.loader import MigrationLoader

ROOMS = ("accounts", "clusters", "vms", "classes")


@register(Tags.database)
def database_is_not_newer(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """After a step back to an older version, the tables are not those that it knows."""
    if "default" not in (databases or []):
        return []
    loader = MigrationLoader(connection)
    known = {*loader.disk_migrations, *loader.graph.nodes}
    ours = {label for label in ROOMS if apps.is_installed(label)}
    newer = sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations if app in ours and (app, name) not in known
    )
    if not newer:
        return []
    hint = "Install that version again, or restore the backup that was made before the upgrade."
    text = f"A newer version of Lab Portal has changed the database ({', '.join(newer)})."
    return [checks.Error(text, hint=hint, id="vms.E001")]
