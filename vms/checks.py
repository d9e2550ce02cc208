"""System checks of this app; those that read the database run with `check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from vms import connection_pooler

ROOMS = ("accounts", "clusters", "vms", "classes")


@register(Tags.database)
def database_is_not_newer(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """After a downgrade, the tables are newer than the installed version."""
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


@register(Tags.database)
def no_pooler_is_between(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if "default" not in (databases or []) or settings.DATABASE_PREPARE != "auto" or not connection_pooler.is_used():
        return []
    hint = (
        "With PgBouncer 1.21 or newer and its max_prepared_statements above 0, or with one in session mode, set "
        "DATABASE_PREPARE=on; otherwise set it to off, and this is not said again."
    )
    text = (
        "PgBouncer or another pooler stands before PostgreSQL, so no statement is prepared: pages take a little longer."
    )
    return [checks.Warning(text, hint=hint, id="vms.W005")]


@register()
def alerts_can_be_sent(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report incomplete settings now, not when a cluster is down."""
    found: list[CheckMessage] = []
    if settings.ALERT_MAIL_TO and not settings.EMAIL_URL:
        text = "ALERT_MAIL_TO is set and EMAIL_URL is not: mail goes to port 25 of this machine."
        found.append(checks.Warning(text, hint="Set EMAIL_URL, like smtp+tls://user:password@mail.school.example:587.",
                                    id="vms.W001"))  # fmt: skip
    if settings.ALERT_WEBHOOK_SECRET and not settings.ALERT_WEBHOOK_URL:
        found.append(checks.Warning("ALERT_WEBHOOK_SECRET is set and ALERT_WEBHOOK_URL is not.", id="vms.W002"))
    return found
