import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import ERROR, WARNING, run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts import database_errors
from accounts.sign_in import health
from clusters import checks, keys
from clusters.models import ClusterHealth
from labportal import connection_pooler, public_address
from vms import database_connectivity, registry
from vms.access import lookups
from vms.models import ClusterSync

# Verdict and text: one line of the report.
Line = tuple[str, str]
OK, WARN, FAIL = "ok", "WARN", "FAIL"


class Command(BaseCommand):
    help = (
        "Check keys, database, files, clusters, sign-in, worker and public address: one line each, with the next step."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        worst = OK
        parts: dict[str, Callable[[], Iterator[Line]]] = {
            "database": _database,
            "migrations": _migrations,
            "keys": _keys,
            "files": _files,
            "clusters": _clusters,
            "sign-in": _sign_in,
            "worker": _worker,
            "rights": _rights,
            "entrance": _entrance,
            "checks": _checks,
        }
        told: set[str] = set()
        for name, part in parts.items():
            for verdict, text in _safely(part, told):
                self.stdout.write(f"{verdict:5} {name:11} {text}")
                worst = FAIL if FAIL in {worst, verdict} else WARN if WARN in {worst, verdict} else OK
        if worst == FAIL:
            sys.exit(1)


def _safely(part: Callable[[], Iterator[Line]], told: set[str]) -> list[Line]:
    """A problem of the database is reported once."""
    try:
        return list(part())
    except (DatabaseError, InterfaceError) as error:
        reason = database_errors.explain(error)
        again = reason in told
        told.add(reason)
        return [(FAIL, "not checked, for the same reason" if again else f"not checked. {reason}")]


def _database() -> Iterator[Line]:
    if not database_connectivity.can_open():
        yield FAIL, "no connection can be opened. Check DATABASE_URL and whether the server runs."
        return
    connection.ensure_connection()
    yield OK, f"{connection.vendor} answers"
    if connection_pooler.is_used():
        yield _pooled[settings.DATABASE_PREPARE]


THROUGH = "reached through PgBouncer or another pooler;"
_pooled = {
    "auto": (WARN, f"{THROUGH} nothing is prepared. With PgBouncer 1.21 or newer: DATABASE_PREPARE=on, else off."),
    "off": (OK, f"{THROUGH} nothing is prepared, as DATABASE_PREPARE says"),
    "on": (OK, f"{THROUGH} statements are prepared, as DATABASE_PREPARE says"),
}


def _migrations() -> Iterator[Line]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    yield (FAIL, f"{len(missing)} are missing. Run: bin/manage migrate") if missing else (OK, "all applied")


def _keys() -> Iterator[Line]:
    readable, counts = keys.canary_is_readable(), keys.count()
    if readable is False:
        yield FAIL, "FIELD_ENCRYPTION_KEY is not the key of this database. Use the key that encrypted it."
    elif counts[keys.UNREADABLE]:
        yield FAIL, f"{counts[keys.UNREADABLE]} credentials cannot be read. Enter them again in the admin."
    elif sum(counts.values()) != counts[0]:
        yield WARN, "older keys are still needed. Run: bin/manage rotate_encryption_key"
    else:
        more = f", {len(settings.FIELD_ENCRYPTION_KEY) - 1} older keys are no longer needed"
        yield OK, f"{counts[0]} credentials" + (more if len(settings.FIELD_ENCRYPTION_KEY) > 1 else "")


def _files() -> Iterator[Line]:
    exposed = [path for path in checks.private_files() if checks.is_readable_by_others(path)]
    for path in exposed:
        yield WARN, f"other users can read {path}. Run: chmod 600 {path}"
    if not exposed:
        yield OK, "private"


def _clusters() -> Iterator[Line]:
    with registry.resolved_once():
        state, configs = registry.state(), registry.clusters()
    if state.is_fallback:
        yield WARN, f"read from {state.source}: {state.reason}"
    if not configs:
        yield WARN, "none is active. Add or activate one under /admin/clusters/."
    health = {row.cluster.cluster_id: row for row in ClusterHealth.objects.select_related("cluster")}
    for config in configs:
        row = health.get(config.cluster_id)
        if row is None:
            yield WARN, f"{config.cluster_id}: never checked. Run: bin/manage clusters test {config.cluster_id}"
        else:
            yield (OK, f"{config.cluster_id}: reachable") if row.ok else (WARN, f"{config.cluster_id}: {row.problem}")


def _sign_in() -> Iterator[Line]:
    """Directories, providers and trusted headers, from what is stored: none of them is asked."""
    found = health.findings(timezone.now())
    for finding in found:
        yield OK if finding.ok else WARN, f"{finding.source.name}: {finding.message.english}"
    if not found:
        yield OK, "with the portal's own passwords alone"


def _worker() -> Iterator[Line]:
    overdue = timezone.now() - timedelta(minutes=2)
    active = ClusterSync.objects.filter(cluster__is_active=True)
    if active.exists() and not active.filter(due_at__gt=overdue).exists():
        yield FAIL, "no cluster was synced for two minutes. Run: bin/manage worker"
    elif active.filter(synced_at__isnull=False).exists():
        yield OK, "syncs the clusters"
    else:
        yield WARN, "no cluster was ever synced. Run: bin/manage worker"


def _rights() -> Iterator[Line]:
    unfit = list(lookups.unfit_managers())
    for row in unfit:
        name, where = row.user.get_username(), row.machineset.title
        told = f"{name} manages the machines of “{where}” but is not allowed to create classes"
        yield WARN, f"{told}. Remove {name} from the managers there, or add {name} to the group Teacher."
    if not unfit:
        yield OK, "only staff and people who can create classes manage other people's machines"


def _entrance() -> Iterator[Line]:
    """The public address of the portal."""
    if not settings.PORTAL_URL:
        yield OK, "not checked, because PORTAL_URL is empty"
        return
    try:
        faults = list(public_address.faults(settings.PORTAL_URL))
    except public_address.NotReached as error:
        yield WARN, f"{settings.PORTAL_URL} cannot be reached from here ({error}). Open it in a browser."
        return
    yield from ((FAIL, fault) for fault in faults)
    if not faults:
        yield OK, f"{settings.PORTAL_URL} shows the login form and accepts it"


def _checks() -> Iterator[Line]:
    told = {
        "accounts.W001",
        "clusters.E002",
        "clusters.W002",
        "clusters.W004",
        "vms.W005",
    }  # told above
    messages = [m for m in run_checks(include_deployment_checks=True, databases=["default"]) if m.id not in told]
    shown = [m for m in messages if m.level >= WARNING and not m.is_silenced()]
    for message in shown:
        yield FAIL if message.level >= ERROR else WARN, f"{message.msg} {message.hint or ''} ({message.id})"
    if not shown:
        yield OK, "no issues"
