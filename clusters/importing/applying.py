"""Applies the plan of an import of clusters.json: all of it, or nothing. Also finds the file."""

from pathlib import Path

from django.conf import settings

from accounts.plans import PlanChanged, carry_out
from clusters.config import ClusterFile, inspect, read_bytes
from clusters.importing import planning
from clusters.importing.changes import values_of
from clusters.importing.planning import ClusterPlan, ClusterReason, ClusterRow, Options
from clusters.models import SECRETS, Adoption, Cluster

NOTHING_ELSE = Options()  # than creating clusters that are new


def find_file() -> Path:
    """The configured file, else where the legacy portal kept its own. The configured one if none exists.

    An import reads it, and the portal whose database is away: both the same one, from whatever folder they run in.
    """
    paths = (settings.CLUSTER_CONFIG_FILE, "clusters.json", "app/clusters.json")
    candidates = [Path(settings.BASE_DIR, path) for path in paths]
    return next((path for path in candidates if path.exists()), candidates[0])


def import_file(path: Path, options: Options = NOTHING_ELSE) -> ClusterPlan:
    """Plan and apply in one go. Raises `FileNotFoundError` or `ClusterFileError`; a refused plan changes nothing."""
    return import_content(read_bytes(path), source=str(path), options=options)


def import_content(content: bytes, *, source: str, options: Options, expected: str | None = None) -> ClusterPlan:
    """Imports bytes. With `expected`, the digest of the plan that was shown, anything else is `PlanChanged`."""
    file = inspect(content, source=source)
    try:
        return _carry_out(file, options, expected)
    except PlanChanged:
        if expected is not None:
            raise
        return _carry_out(file, options, None)  # somebody added one of them at the same moment; now it is there


def _carry_out(file: ClusterFile, options: Options, expected: str | None) -> ClusterPlan:
    def make() -> ClusterPlan:
        if file.configs:
            Adoption.objects.lock()  # two at once would both find an entry to be new
        list(Cluster.objects.locked())
        return planning.plan(file, options)

    return carry_out(make, _write, expected=expected)


def _write(plan: ClusterPlan) -> None:
    for row in plan.written:
        _write_row(row, with_secrets=plan.options.update_secrets)


def _write_row(row: ClusterRow, *, with_secrets: bool) -> None:
    assert row.config is not None  # noqa: S101 - for the type checker: a row that writes has one
    values = values_of(row.config)
    if row.reason is ClusterReason.NEW:
        Cluster.objects.create(cluster_id=row.cluster_id, is_default=row.config.is_default, **values)
        return
    cluster = Cluster.objects.get(cluster_id=row.cluster_id)
    fields = {change.field for change in row.changes} - (set() if with_secrets else set(SECRETS))
    for name in fields:
        setattr(cluster, name, values[name])
    if not cluster.is_active and cluster.is_default:
        cluster.is_default = False
        fields.add("is_default")
    cluster.save(update_fields=[*fields, "updated_at"])
