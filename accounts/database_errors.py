"""Messages for database errors in commands: a sentence and a next step instead of a traceback."""

import sqlite3
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection

ANOTHER = "Move it away and restore a backup (bin/manage restore FILE), or create an empty one: bin/manage migrate"
RUN = "Run: bin/manage migrate"
BY_CODE = {
    sqlite3.SQLITE_NOTADB: f"{{where}} is not a database. {ANOTHER}",
    sqlite3.SQLITE_CORRUPT: f"{{where}} is damaged. {ANOTHER}",
    sqlite3.SQLITE_CANTOPEN: "{where} cannot be opened. Check whether its folder exists and belongs to this user.",
    sqlite3.SQLITE_READONLY: "{where} cannot be written. Check whether it and its folder belong to this user.",
    sqlite3.SQLITE_BUSY: "{where} is in use by another program. Try again in a moment.",
    sqlite3.SQLITE_ERROR: f"{{where}} lacks tables or columns. {RUN}",
}
# PostgreSQL's classes of errors: a table or column that is missing, or is there already.
BY_STATE = {"42": f"The database's tables do not match this version. {RUN}"}


def code(error: BaseException) -> int | None:
    """SQLite's own, without its details."""
    found: int | None = getattr(error.__cause__, "sqlite_errorcode", None)
    return None if found is None else found & 0xFF


def explain(error: BaseException) -> str:
    if connection.vendor == "sqlite":
        found = BY_CODE.get(code(error) or -1, f"{{where}} cannot be used ({type(error).__name__}).")
        return found.format(where=f"The database {connection.settings_dict['NAME']}")
    state = str(getattr(error.__cause__, "sqlstate", None) or "")
    unknown = (
        f"The database is not responding ({type(error).__name__}). Check DATABASE_URL and whether the server runs."
    )
    return BY_STATE.get(state[:2], unknown)


class PlainCommand(BaseCommand):
    """A command that says what is wrong with the database as it says everything else."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(explain(error)) from error
