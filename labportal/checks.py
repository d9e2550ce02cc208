"""System checks: settings that cannot work and how to write them, and a database that this version cannot use."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from labportal import connection_pooler, environment

Apps = Sequence[AppConfig] | None

ROOMS = ("accounts", "clusters", "vms", "classes")

# What Django can match with the Host of a request: a name, .name for all below it, an address, or * for everything.
HOST = re.compile(r"\*|\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[a-f0-9]*:[a-f0-9.:]+\]")


@register(Tags.security, deploy=True)
def hosts_are_names(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Otherwise every page is "this address is not the portal's"."""
    if not settings.ALLOWED_HOSTS:
        hint = "Write the names that people type, like ALLOWED_HOSTS=labs.example.org,127.0.0.1."
        return [checks.Error("ALLOWED_HOSTS names no host.", hint=hint, id="portal.E001")]
    wrong = [entry for entry in settings.ALLOWED_HOSTS if not HOST.fullmatch(entry.lower())]
    if not wrong:
        return []
    right = [host for entry in settings.ALLOWED_HOSTS if (host := host_in(entry))]
    better = ",".join(dict.fromkeys(right)) or "labs.example.org"
    hint = f"Write ALLOWED_HOSTS={better}: names without https://, port and path."
    text = f"ALLOWED_HOSTS contains entries that are not host names: {', '.join(wrong)}."
    return [checks.Error(text, hint=hint, id="portal.E001")]


def host_in(entry: str) -> str:
    """The name of the host in what was written for one, or nothing."""
    written = re.sub(r"^[\"']|[\"']$", "", entry.lower())
    if written.count(":") > 1 and not re.search(r"[/\[]", written):
        return f"[{written}]"
    with suppress(ValueError):
        netloc = urlsplit(written if "://" in written else f"//{written}").netloc.rpartition("@")[2]
        host = re.sub(r"^\*\.", ".", re.sub(r":[0-9]*$", "", netloc).rstrip("."))
        host = host if host.isascii() else host.encode("idna").decode()
        return host if HOST.fullmatch(host) else ""
    return ""


@register(Tags.security, deploy=True)
def portal_has_a_host_of_its_own(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    parts = urlsplit(settings.PORTAL_URL)
    if not (parts.path or parts.query):
        return []
    hint = f"Write PORTAL_URL={parts.scheme}://{parts.netloc}, and give the portal this name alone in the proxy."
    return [
        checks.Error("PORTAL_URL has a path: the portal needs a host name of its own.", hint=hint, id="portal.E002")
    ]


@register("portal")
def mail_has_addresses(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Reports malformed mail addresses at the start, not when a cluster is down."""
    given = {"ALERT_MAIL_TO": settings.ALERT_MAIL_TO, "ALERT_MAIL_FROM": [settings.DEFAULT_FROM_EMAIL]}
    hint = 'Write addresses like it@school.example or "Gil, Ana" <ana@school.example>, separated by commas.'
    return [
        checks.Error(f"{name} contains invalid mail addresses: {', '.join(wrong)}.", hint=hint, id="portal.E003")
        for name, written in given.items()
        if (wrong := [one for one in written if not environment.recipient(one)])
    ]


@register("portal")
def comments_are_apart(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    hint = "Put comments on lines of their own."
    found: list[CheckMessage] = []
    if environment.cut:
        text = f"Text after “ #” was ignored as a comment in: {', '.join(sorted(environment.cut))}."
        found.append(checks.Warning(text, hint=hint, id="portal.W001"))
    if environment.kept:
        names = ", ".join(sorted(environment.kept))
        text = f"Text after “ #” was kept as part of the value, because it may be a secret: {names}."
        found.append(checks.Warning(text, hint=hint, id="portal.W002"))
    return found


@register(Tags.database)
def no_pooler_is_between(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
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


@register(Tags.database)
def database_is_not_newer(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
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


@register("portal")
def alerts_can_be_sent(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report incomplete settings now, not when a cluster is down."""
    found: list[CheckMessage] = []
    if settings.ALERT_MAIL_TO and not settings.EMAIL_URL:
        text = "ALERT_MAIL_TO is set and EMAIL_URL is not: mail goes to port 25 of this machine."
        found.append(checks.Warning(text, hint="Set EMAIL_URL, like smtp+tls://user:password@mail.school.example:587.",
                                    id="vms.W001"))  # fmt: skip
    if settings.ALERT_WEBHOOK_SECRET and not settings.ALERT_WEBHOOK_URL:
        found.append(checks.Warning("ALERT_WEBHOOK_SECRET is set and ALERT_WEBHOOK_URL is not.", id="vms.W002"))
    return found
