"""Settings of each new connection to PostgreSQL; detects a connection pooler, such as PgBouncer, in between.

In transaction mode every transaction may run in another server process. PgBouncer before 1.21 knows nothing of prepared
statements: one that was prepared in this process is missing in that one, or is somebody else's and finds other rows.
So nothing is prepared through a pooler, unless DATABASE_PREPARE says that it can.
"""

import os
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from django.conf import settings
from django.db import connection as _connection

if TYPE_CHECKING:  # not loaded where the database is SQLite
    from psycopg import Connection

# The portal's queries are short, and its tables fit into memory. PostgreSQL collects no statistics of tables with few
# rows, takes queries that join such tables for expensive, and compiles them each time: 134 ms for a list among 20,000
# machines, of which 96 are compiling, and 0.9 ms without. Behind a pooler other programs may get this connection.
PLANNING = "SET jit = off; SET random_page_cost = 1.1"

default: Any = _connection  # the attributes used here are PostgreSQL's own

_looked_at: "WeakSet[Connection[Any]]" = WeakSet()


def when_connected(*, connection: Any, **kwargs: Any) -> None:
    """Check each connection once, after Django has opened it or taken it from its pool."""
    if connection.vendor != "postgresql" or connection.connection in _looked_at:
        return
    with connection.wrap_database_errors:
        between = stands_between(connection.connection)
        if not between:
            connection.connection.execute(PLANNING, prepare=False)
    if between:
        connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True  # they outlive transactions
        if settings.DATABASE_PREPARE == "auto":
            connection.connection.prepare_threshold = None
    _looked_at.add(connection.connection)


def is_used() -> bool:
    """Whether the portal's database is reached through one."""
    if default.vendor != "postgresql":
        return False
    default.ensure_connection()
    with default.wrap_database_errors:
        return stands_between(default.connection)


def stands_between(connection: "Connection[Any]") -> bool:
    """Whether PostgreSQL sees another connection than this process.

    A pooler invents the process number, on a Unix socket, too, and connects from a port of its own.
    """
    ends = connection.execute("SELECT pg_backend_pid(), inet_client_port()", prepare=False).fetchone()
    return ends != (connection.info.backend_pid, _own_port(connection))


def _own_port(connection: "Connection[Any]") -> int | None:
    """None on a Unix socket, as PostgreSQL says it."""
    with socket.socket(fileno=os.dup(connection.fileno())) as ours:
        name = ours.getsockname()
    return int(name[1]) if isinstance(name, tuple) else None
