"""States that a database can be in. Each is a context manager, and each is proved to be there by who uses it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)

from clusters.models import Adoption, Cluster
from tests.own_database import ON_POSTGRES, default_connection, postgres_only, second_connection, sqlite_only
from vms.registry import Reason

NOWHERE = {"HOST": "127.0.0.1", "PORT": "1"} if ON_POSTGRES else {"NAME": "/nonexistent/lab_portal.db"}


def execute(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def read() -> None:
    """What the registry needs from a database, asked directly. A transaction around it stays usable."""
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        list(Cluster.objects.all())
        list(Adoption.objects.all())


def code_of(error: BaseException) -> Any:
    """The driver's own code of an error: SQLSTATE, or SQLite's name for it."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or type(cause).__name__


# In these three the registry leaves the database.


@contextmanager
def no_connection() -> Iterator[None]:
    with default_connection(**NOWHERE):
        with pytest.raises(OperationalError):
            connection.ensure_connection()
        yield


@contextmanager
def no_table() -> Iterator[None]:
    execute("ALTER TABLE clusters RENAME TO elsewhere")
    with pytest.raises((OperationalError, ProgrammingError), match="clusters"):
        read()
    yield


@contextmanager
def not_initialised() -> Iterator[None]:
    assert not Cluster.objects.exists()
    assert not Adoption.objects.exists()
    yield


FALLBACKS = {
    Reason.NO_CONNECTION: no_connection,
    Reason.NO_TABLE: no_table,
    Reason.NOT_INITIALISED: not_initialised,
}


# And in these it does not.


@contextmanager
def missing_column() -> Iterator[None]:
    execute("ALTER TABLE clusters RENAME COLUMN ca_certificate TO authority")
    yield


@contextmanager
def missing_marker_table() -> Iterator[None]:
    Cluster.objects.all().delete()
    execute("ALTER TABLE clusters_adoption RENAME TO elsewhere")
    yield


@contextmanager
def transaction_that_has_to_roll_back() -> Iterator[None]:
    with transaction.atomic():
        transaction.set_rollback(True)
        yield


@contextmanager
def locked_while_opening() -> Iterator[None]:
    connection.close()
    with default_connection(OPTIONS={"timeout": 0.05}), second_connection() as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def locked_while_reading() -> Iterator[None]:
    connection.close()
    options = {"timeout": 0.05, "init_command": "PRAGMA journal_mode=DELETE"}
    with default_connection(OPTIONS=options), second_connection() as other:
        connection.ensure_connection()
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def corrupt_file() -> Iterator[None]:
    connection.close()
    Path(connections.settings["default"]["NAME"]).write_bytes(secrets.token_bytes(8192))
    yield


@contextmanager
def locked_table() -> Iterator[None]:
    with second_connection() as other:
        other.execute("LOCK TABLE clusters IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def lock_timeout() -> Iterator[None]:
    execute("SET lock_timeout = '50ms'")
    with locked_table():
        yield


@contextmanager
def statement_timeout() -> Iterator[None]:
    execute("SET statement_timeout = '50ms'")
    with locked_table():
        yield


@contextmanager
def deadlock() -> Iterator[None]:
    """We hold a lock that the other waits for, and the other holds the table that we want."""
    with second_connection() as other, transaction.atomic():
        execute("SET LOCAL deadlock_timeout = '10ms'")
        execute("SELECT pg_advisory_xact_lock(1)")
        other.execute("SET LOCAL deadlock_timeout = '1min'")
        other.execute("LOCK TABLE clusters IN ACCESS EXCLUSIVE MODE")
        other.pgconn.send_query(b"SELECT pg_advisory_xact_lock(1)")
        while not waits(other.info.backend_pid):
            pass
        yield


def waits(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", [pid])
        return cursor.fetchone() is not None


@contextmanager
def failed_transaction() -> Iterator[None]:
    connection.set_autocommit(False)
    with pytest.raises(ProgrammingError):
        execute("SELECT * FROM nothing_of_that_name")
    yield
    connection.rollback()


@contextmanager
def exhausted_pool() -> Iterator[None]:
    connection.close()
    with default_connection(OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 0.1}}):
        connection.pool.open()
        with connection.pool.connection():
            yield


@dataclass(frozen=True)
class Fault:
    """An error state: how to get into it, and what a query raises there, by class and by the driver's code."""

    enter: Callable[[], AbstractContextManager[None]]
    error: type[DatabaseError]
    code: str


EVERYWHERE = [
    Fault(
        missing_column,
        ProgrammingError if ON_POSTGRES else OperationalError,
        "42703" if ON_POSTGRES else "SQLITE_ERROR",
    ),
    Fault(
        missing_marker_table,
        ProgrammingError if ON_POSTGRES else OperationalError,
        "42P01" if ON_POSTGRES else "SQLITE_ERROR",
    ),
    Fault(transaction_that_has_to_roll_back, transaction.TransactionManagementError, "NoneType"),
]
ON_SQLITE_ALONE = [
    Fault(locked_while_opening, OperationalError, "SQLITE_BUSY"),
    Fault(locked_while_reading, OperationalError, "SQLITE_BUSY"),
    Fault(corrupt_file, DatabaseError, "SQLITE_NOTADB"),
]
ON_POSTGRES_ALONE = [
    Fault(lock_timeout, OperationalError, "55P03"),
    Fault(statement_timeout, OperationalError, "57014"),
    Fault(deadlock, OperationalError, "40P01"),
    Fault(failed_transaction, InternalError, "25P02"),
    Fault(exhausted_pool, OperationalError, "PoolTimeout"),
]
TROUBLES = [
    *[pytest.param(fault, id=fault.enter.__name__) for fault in EVERYWHERE],
    *[pytest.param(fault, id=fault.enter.__name__, marks=sqlite_only) for fault in ON_SQLITE_ALONE],
    *[pytest.param(fault, id=fault.enter.__name__, marks=postgres_only) for fault in ON_POSTGRES_ALONE],
]
