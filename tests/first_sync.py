"""The first sync of a lab, done once: to read a cluster takes longer than most tests that need one.

What it wrote is written again for the next lab of the same machines, moved to the present. `vms/test_first_sync.py`
compares both.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from clusters.models import Cluster
from vms.inventory import last_read


@dataclass
class Written:
    """The rows of each table that belong to a cluster, and when they were written."""

    at: datetime
    tables: dict[type[models.Model], list[list[Any]]] = field(default_factory=dict)


_kept: dict[tuple[str, str], Written] = {}


@cache
def of_a_cluster() -> dict[type[models.Model], Any]:
    """The tables whose rows belong to a cluster, and the column that says to which."""
    return {
        model: own
        for model in apps.get_models()
        for own in model._meta.concrete_fields
        if own.remote_field and own.remote_field.model is Cluster
    }


def columns(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """Without a number that the database gives."""
    return [own for own in model._meta.concrete_fields if not isinstance(own, models.AutoField)]


def rows(model: type[models.Model], link: Any, cluster: Cluster) -> list[list[Any]]:
    found = model._base_manager.filter(**{link.name: cluster}).order_by("pk")
    return [[getattr(row, own.attname) for own in columns(model)] for row in found]


def keep(cluster: Cluster, kind: str) -> None:
    written = Written(timezone.now())
    for model, link in of_a_cluster().items():
        if found := rows(model, link, cluster):
            written.tables[model] = found
    _kept[connection.vendor, kind] = written


def write_again(cluster: Cluster, kind: str) -> bool:
    """False where nothing is kept of this kind yet."""
    written = _kept.get((connection.vendor, kind))
    if written is None:
        return False
    later = timezone.now() - written.at
    with connection.cursor() as cursor:
        for model, found in written.tables.items():
            _write(cursor, model, found, cluster, later)
    last_read.forget(cluster.cluster_id)
    return True


def _write(cursor: Any, model: type[models.Model], found: list[list[Any]], cluster: Cluster, later: timedelta) -> None:
    link, fields, quote = of_a_cluster()[model], columns(model), connection.ops.quote_name
    table, names = quote(model._meta.db_table), ", ".join(quote(own.column) for own in fields)
    its_own = getattr(cluster, link.target_field.attname)

    def value(own: models.Field[Any, Any], kept: Any) -> Any:
        if own is link:
            return its_own
        return own.get_db_prep_save(kept + later if isinstance(kept, datetime) else kept, connection)

    cursor.execute(f"DELETE FROM {table} WHERE {quote(link.column)} = %s", [its_own])  # noqa: S608 - names of Django
    places = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - the same
    cursor.executemany(sql, [[value(*pair) for pair in zip(fields, row, strict=True)] for row in found])
