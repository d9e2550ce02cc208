"""Finds out if a database connection can be opened. Only if it cannot, the registry falls back."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Timer
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db import connection as _connection
from django.db.utils import InterfaceError

from accounts import database_errors

connection: Any = _connection  # the attributes used here are each backend's own


def can_open() -> bool:
    """Open the connection if it is closed. False only when that is impossible; a busy database raises."""
    if connection.connection is not None:
        return True
    try:
        connection.ensure_connection()
    except (OperationalError, InterfaceError) as error:
        if _is_unreachable(error):
            return False
        raise
    return True


def was_lost() -> bool:
    """After a failed query: whether the connection broke and cannot be opened again."""
    if connection.connection is not None and (connection.vendor == "sqlite" or connection.is_usable()):
        return False
    if connection.in_atomic_block:
        return not _server_answers()
    connection.close()
    return not can_open()


def is_outage(error: BaseException | None) -> bool:
    """Whether an error says that the database is away, busy or ruined, and not that a query is wrong."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, DatabaseError) and database_errors.code(error) in {
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
    }


def _is_unreachable(error: Exception) -> bool:
    if connection.vendor == "sqlite":
        # Locked and corrupt files also fail on opening, in the PRAGMAs. They are there, so they are errors.
        return database_errors.code(error) == sqlite3.SQLITE_CANTOPEN
    return not _server_answers()


# Seconds after which `ping_early` pings the server, although the connection attempt has not finished.
PING_AFTER = 0.3

_ping_result: ContextVar["Future[bool] | None"] = ContextVar("server_was_asked", default=None)


@contextmanager
def ping_early() -> Iterator[None]:
    """Ping the server while a connection attempt is still waiting: a silent server then costs half the time."""
    if connection.vendor != "postgresql":
        yield
        return
    answer: Future[bool] = Future()
    timer = Timer(PING_AFTER, _set_result, [answer, _ping()])
    timer.daemon = True
    timer.start()
    token = _ping_result.set(answer)
    try:
        yield
    finally:
        _ping_result.reset(token)
        timer.cancel()


def _set_result(answer: "Future[bool]", question: Callable[[], bool]) -> None:
    answer.set_result(question())


def _server_answers() -> bool:
    """Whether a PostgreSQL server responds, without the pool and without a login.

    A server that is full, starting or refuses the password responds; an exhausted pool is no outage. All are errors.
    """
    asked = _ping_result.get()
    return asked.result() if asked else _ping()()


def _ping() -> Callable[[], bool]:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - not loaded where the database is SQLite
    from psycopg.pq import PGconn, Ping  # noqa: PLC0415 - the same

    known = ("host", "hostaddr", "port", "dbname", "user", "connect_timeout", "sslmode", "service")
    parameters = connection.get_connection_params()
    conninfo = make_conninfo(**{name: parameters[name] for name in known if name in parameters}).encode()
    return lambda: PGconn.ping(conninfo) in {Ping.OK, Ping.REJECT}
