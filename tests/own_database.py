"""A database of a test's own: migrated, empty, and free to be locked, corrupted, emptied and taken away.

The test's database of pytest-django stays untouched, because the connection called "default" is another one meanwhile.
Threads get the same database. On SQLite it is a file as in production, not a database in memory.
"""

import copy
import fcntl
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from tests.waits import TIMEOUT

ON_POSTGRES = os.environ.get("DATABASE_URL", "").startswith("postgres")
postgres_only = pytest.mark.skipif(
    not ON_POSTGRES, reason="allowed: needs PostgreSQL: bin/test --postgres (apt install postgresql)"
)
sqlite_only = pytest.mark.skipif(ON_POSTGRES, reason="allowed: needs SQLite: bin/test without --postgres")


@contextmanager
def default_connection(**changes: Any) -> Iterator[dict[str, Any]]:
    """Make "default" another connection; `changes` go into its settings, `OPTIONS` are merged."""
    before, wrapper = connections.settings["default"], connections["default"]
    config = copy.deepcopy(before)
    config["OPTIONS"] |= changes.pop("OPTIONS", {})
    config |= changes
    pools, type(wrapper)._connection_pools = getattr(wrapper, "_connection_pools", None), {}
    connections.settings["default"] = config
    connections["default"] = connections.create_connection("default")
    try:
        yield config
    finally:
        connection.close()
        if ON_POSTGRES:
            connection.close_pool()
        type(wrapper)._connection_pools = pools
        connections.settings["default"] = before
        connections["default"] = wrapper


def server(sql: str) -> None:
    """Run a statement on the server, beside every test database."""
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def held(path: Path) -> Iterator[dict[str, Any]]:
    """What the processes of a run of the tests share, for one of them at a time."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        shared = json.loads(file.read() or "{}")
        yield shared
        file.truncate(0)
        file.write(json.dumps(shared))


def make_template(folder: Path) -> str:
    name = str(folder / "template.db")
    if ON_POSTGRES:
        server(f"CREATE DATABASE {(name := 'template_' + secrets.token_hex(6))}")
    with default_connection(NAME=name, OPTIONS={"pool": False} if ON_POSTGRES else {}):
        call_command("migrate", verbosity=0)
    return name


@pytest.fixture(scope="session")
def migrated_template(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any, django_test_environment: None
) -> Iterator[str]:
    """Made by the first process that needs it: to migrate takes seconds. The last one takes it away."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with django_db_blocker.unblock(), held(folder / "template.json") as shared:
        shared["users"] = shared.get("users", 0) + 1
        name = shared["name"] = shared.get("name") or make_template(folder)
    yield name
    with django_db_blocker.unblock(), held(folder / "template.json") as shared:
        shared["users"] -= 1
        if not shared["users"]:
            del shared["name"]
            if ON_POSTGRES:
                server(f"DROP DATABASE {name} WITH (FORCE)")


def migrate_sqlite(file: Path) -> None:
    """By a process: this one's connection is to PostgreSQL."""
    command = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": f"sqlite:///{file}"}
    subprocess.run(command, env=environment, check=True, timeout=5 * TIMEOUT)


@pytest.fixture(scope="session")
def migrated_file(migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file of SQLite, to be copied for processes with a database of their own, also on PostgreSQL."""
    if not ON_POSTGRES:
        return Path(migrated_template)
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with held(folder / "file.json") as shared:
        if "name" not in shared:
            shared["name"] = str(folder / "migrated.db")
            migrate_sqlite(Path(shared["name"]))
    return Path(shared["name"])


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, migrated_template: str
) -> Iterator[None]:
    """pytest-django's database begins as a copy, too, and its migrations find nothing left to do."""
    if ON_POSTGRES:
        connections.settings["default"]["TEST"]["TEMPLATE"] = migrated_template
        yield
        return
    # It is in memory, and there for as long as somebody has it open.
    with closing(sqlite3.connect(connection.creation._get_test_db_name(), uri=True)) as memory:
        with closing(sqlite3.connect(migrated_template)) as source:
            source.backup(memory)
        yield


@contextmanager
def copy_of(template: str, folder: Path) -> Iterator[str]:
    if not ON_POSTGRES:
        name = str(folder / "own.db")
        shutil.copy(template, name)
        yield name
        return
    name = "own_" + secrets.token_hex(6)
    server(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield name
    finally:
        server(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def own_database(
    migrated_template: str, tmp_path: Path, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The settings of a database that belongs to the test alone. Nothing wraps it in a transaction."""
    options = {"pool": False} if ON_POSTGRES else {"timeout": TIMEOUT}
    with (
        django_db_blocker.unblock(),
        copy_of(migrated_template, tmp_path) as name,
        default_connection(NAME=name, OPTIONS=options) as config,
    ):
        yield config


@contextmanager
def second_connection() -> Iterator[Any]:
    """A driver's connection beside Django's to the same database, with transactions by hand."""
    if ON_POSTGRES:
        with closing(connection.Database.connect(**connection.get_connection_params())) as other:
            yield other
    else:
        name = connections.settings["default"]["NAME"]
        with closing(sqlite3.connect(name, isolation_level=None)) as other:
            yield other


def run_in_threads(*jobs: Callable[[], object]) -> list[BaseException]:
    """Begin all jobs at the same moment, wait for them, and return what they raised."""
    errors: list[BaseException] = []
    together = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            together.wait(timeout=TIMEOUT)
            job()
        except Exception as error:  # noqa: BLE001 - handed to the test
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=TIMEOUT)
    assert not any(thread.is_alive() for thread in threads)
    return errors
