"""A database as an earlier version left it: its tables by its migrations, then its rows from text as they were."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor

from tests.own_database import ON_POSTGRES, default_connection, server

# The last migrations of each release.
RELEASES = {
    "0.1.0": {"accounts": "0001_initial", "clusters": "0001_initial", "vms": "0002_groups"},
    "0.2.0": {"accounts": "0002_language_is_known", "clusters": "0008_notices", "vms": "0007_sets_and_descriptions"},
    "0.3.0": {
        "accounts": "0003_must_change_password", "classes": "0004_plainer_words",
        "clusters": "0009_cluster_is_restricted", "vms": "0016_identity_in_doubt",
    },
}  # fmt: skip
OURS = ("accounts", "clusters", "vms", "classes")

ROWS = Path(__file__).parent / "database_0_3_0" / "rows.json"

# As make.py has them.
KEY = "YS1kYXRhYmFzZS1vZi1yZWxlYXNlLTAuMy4wLXRlc3Q="
PASSWORD = "correct horse battery"

Rows = Mapping[str, list[dict[str, Any]]]


def rows() -> Rows:
    """By model, each row with its columns: see make.py beside it."""
    found: Rows = json.loads(ROWS.read_text(encoding="utf-8"))
    return found


@contextmanager
def empty_database(name: str) -> Iterator[None]:
    """The connection called "default" leads to a database without tables. On SQLite `name` is a path."""
    if ON_POSTGRES:
        server(f"CREATE DATABASE {name}")
    try:
        with default_connection(NAME=name, OPTIONS={"pool": False} if ON_POSTGRES else {}):
            yield
    finally:
        if ON_POSTGRES:
            server(f"DROP DATABASE {name} WITH (FORCE)")


def migrate_to(release: str) -> Any:
    """The tables of a release. Returns the models of that time."""
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in OURS]
    targets = [*RELEASES[release].items(), *others]
    executor.migrate([target for target in targets if _comes_before(executor, target, release)])
    return models_of(release)


@cache
def models_of(release: str) -> Any:
    """As that version knew them."""
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in OURS]
    return executor.loader.project_state([*RELEASES[release].items(), *others]).apps


def _comes_before(executor: MigrationExecutor, target: tuple[str, str], release: str) -> bool:
    """Not a package's migration that needs a later one of ours. There is none so far, and this would tell."""
    ours = {app: name for app, name in executor.loader.graph.forwards_plan(target) if app in OURS}
    return all(name <= RELEASES[release].get(app, "") for app, name in ours.items())


def fill(apps: Any, content: Rows) -> None:
    """Put exactly these rows in. What the migrations made by themselves, such as groups, is among them."""
    found = [apps.get_model(label) for label in content]
    with transaction.atomic():
        for model in found:
            _empty(model)
        kinds = _content_types(apps, content)
        for model in found:
            for row in content[model._meta.label_lower]:
                _row(model, row, kinds).save_base(raw=True, force_insert=True)
    _count_on(found)


def _empty(model: type[models.Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 - a table's name


def _content_types(apps: Any, content: Rows) -> dict[str, int]:
    """Their numbers are this database's own."""
    named = {row["content_type_id"] for table in content.values() for row in table if row.get("content_type_id")}
    model = apps.get_model("contenttypes", "ContentType")
    ContentType.objects.clear_cache()
    return {
        name: model.objects.get_or_create(app_label=name.split(".")[0], model=name.split(".")[1])[0].pk
        for name in named
    }


def _row(model: type[models.Model], row: dict[str, Any], kinds: dict[str, int]) -> models.Model:
    made = model()
    for field in model._meta.concrete_fields:
        value = row[field.attname]
        if field.attname == "content_type_id" and value:
            value = kinds[value]
        setattr(made, field.attname, value if field.get_internal_type() == "JSONField" else field.to_python(value))
    return made


def _count_on(found: list[type[models.Model]]) -> None:
    """PostgreSQL counts apart from what is there."""
    for sql in connection.ops.sequence_reset_sql(no_style(), found):
        with closing(connection.cursor()) as cursor:
            cursor.execute(sql)


def counts() -> dict[str, int]:
    """Rows by table."""
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table's name
            found[table] = cursor.fetchone()[0]
    return found
