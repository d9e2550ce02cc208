"""Backups: one file with the whole database, made while everything runs, and put back into an empty one.

The key that opens the credentials in it is not in it. Neither are sessions and tokens of the API: whoever gets hold of
a backup must not be able to go on as somebody who was logged in when it was made, and no token that was revoked since
then must work again. A signature by that key shows that nobody changed it: a changed one could send the portal's
credentials elsewhere, or run what somebody put into it.
"""

import contextlib
import hashlib
import hmac
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient
from django.utils import timezone

from accounts.models import ApiToken, IdempotentCall
from vms import automation
from vms.models import Automation

MANIFEST, DUMP = "manifest.json", "database"
FORMAT = 1
MAX_MANIFEST = 64 * 1024  # bytes

# Tables whose rows are in no backup.
LEFT_OUT = (Session, IdempotentCall, ApiToken)

# What reading a broken archive raises.
BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error, KeyError, ValueError, TypeError, RecursionError)


class BackupError(Exception):
    """The fault, and its remedy."""


@dataclass(frozen=True)
class Manifest:
    """`database` is the vendor, `made_at` ISO time in UTC, `sha256` that of the dump, `seal` one over all of these."""

    format: int
    version: str
    database: str
    made_at: str
    sha256: str
    seal: str = ""

    def signed(self) -> "Manifest":
        return replace(self, seal=self._signature(settings.FIELD_ENCRYPTION_KEY[0]))

    @property
    def is_genuine(self) -> bool:
        """Whether it was made with one of the keys of FIELD_ENCRYPTION_KEY, and is as it was then."""
        return any(hmac.compare_digest(self.seal, self._signature(key)) for key in settings.FIELD_ENCRYPTION_KEY)

    def _signature(self, key: str) -> str:
        own = hashlib.sha256(b"lab portal backup\0" + key.encode()).digest()
        said = json.dumps(asdict(replace(self, seal="")), sort_keys=True)
        return hmac.new(own, said.encode(), hashlib.sha256).hexdigest()


def make(target: Path, *, version: str) -> Manifest:
    """Write a backup to a new file, which only its owner can read. Raises `BackupError`."""
    if target.exists():
        raise BackupError(f"{target} already exists. Choose another name: a backup is never overwritten.")
    with _folder(target.parent) as folder:
        dump = folder / DUMP
        _dump_sqlite(dump) if connection.vendor == "sqlite" else _dump_postgresql(dump)
        made = timezone.now().isoformat(timespec="seconds")
        manifest = Manifest(FORMAT, version, connection.vendor, made, _digest(dump)).signed()
        packed = folder / "backup.tar.gz"
        with tarfile.open(packed, "w:gz", compresslevel=6) as archive:
            _add(archive, MANIFEST, json.dumps(asdict(manifest), indent=2).encode())
            archive.add(dump, DUMP)
        packed.chmod(0o600)
        packed.replace(target)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Raises `BackupError` for what is no backup of this portal."""
    try:
        with tarfile.open(source) as archive, _member(archive, MANIFEST) as file:
            return Manifest(**json.loads(file.read(MAX_MANIFEST)))
    except FileNotFoundError:
        raise BackupError(f"There is no file {source}.") from None
    except BROKEN:
        raise BackupError(f"{source} is not a backup of Lab Portal.") from None


def put_back(source: Path, *, replace: bool = False, unverified: bool = False) -> Manifest:
    """Put a backup into the database of the settings, which is empty unless one says `replace`.

    One that was not made with the key of the settings is refused unless one says `unverified`.

    Raises `BackupError`; the database is then as it was. Nothing else may use it meanwhile.
    """
    manifest = read_manifest(source)
    if manifest.format != FORMAT:
        raise BackupError(f"{source} was made by a newer version of Lab Portal ({manifest.version}).")
    if manifest.database != connection.vendor:
        raise BackupError(f"This is a backup of {manifest.database}; DATABASE_URL names {connection.vendor}.")
    if not unverified and not manifest.is_genuine:
        raise BackupError(
            f"{source} was made with another key, or was changed since. Set FIELD_ENCRYPTION_KEY to the key "
            "of that time. If the key is lost and you trust the file, add --unverified."
        )
    if not replace and connection.introspection.table_names():
        raise BackupError("The database is not empty. To delete its content, add --replace.")
    with _folder(_room()) as folder:
        dump = folder / DUMP
        _unpack(source, dump)
        if not dump.stat().st_size or _digest(dump) != manifest.sha256:
            raise BackupError(f"{source} is damaged: its content has changed.")
        connection.close()
        _restore_sqlite(dump) if connection.vendor == "sqlite" else _restore_postgresql(dump)
    _hold_automation()
    return manifest


def _hold_automation() -> None:
    """The original may still run, and what waits in a backup was perhaps done long ago. Older ones lack the table."""
    if Automation._meta.db_table in connection.introspection.table_names():
        automation.hold(Automation.Reason.RESTORED)
    connection.close()


def _unpack(source: Path, dump: Path) -> None:
    try:
        with tarfile.open(source) as archive, _member(archive, DUMP) as file, dump.open("wb") as out:
            shutil.copyfileobj(file, out)
    except BROKEN:
        raise BackupError(f"{source} is damaged: it cannot be unpacked.") from None


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of that name, and no link. Raises one of `BROKEN`."""
    found = archive.getmember(name)
    file = archive.extractfile(found) if found.isreg() else None
    if file is None:
        raise ValueError(name)
    return file


# SQLite: its own online copy, which waits for writers and never stops them for long.


def _dump_sqlite(dump: Path) -> None:
    address = f"{_sqlite_file().absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as live, closing(sqlite3.connect(dump)) as copy:
        live.backup(copy, pages=1000)
        for model in LEFT_OUT:
            with contextlib.suppress(sqlite3.OperationalError):  # a database before the migration that makes it
                copy.execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608 - a name of a model
        copy.commit()
        copy.execute("VACUUM")


def _restore_sqlite(dump: Path) -> None:
    target = _sqlite_file()
    with closing(sqlite3.connect(dump)) as copy:
        try:
            sound = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            sound = False
        if not sound:
            raise BackupError("The database in this backup is damaged.")
    if target.exists():
        _nobody_uses(target)
    dump.chmod(0o600)
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    dump.replace(target)


def _nobody_uses(target: Path) -> None:
    try:
        with closing(sqlite3.connect(target, timeout=1, isolation_level=None)) as live:
            # Leaving WAL needs to be alone.
            if live.execute("PRAGMA journal_mode=DELETE").fetchone() != ("delete",):
                raise sqlite3.OperationalError
    except sqlite3.OperationalError:
        raise BackupError("The database is in use. Stop the web server and the workers first.") from None


# PostgreSQL: its own tools, which have to be at least as new as the server.


def _dump_postgresql(dump: Path) -> None:
    without = [f"--exclude-table-data={model._meta.db_table}" for model in LEFT_OUT]
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", *without, f"--file={dump}")


def _restore_postgresql(dump: Path) -> None:
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run("pg_restore", *options, str(dump))


def _run(tool: str, *options: str) -> None:
    # What psql would be called with: the password goes through the environment.
    (_, *where, name), environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    command = [tool, "--no-password", *where, f"--dbname={name}", *options]
    environment = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(
            f"{tool} is not installed here. On Debian and Ubuntu: apt install postgresql-client"
        ) from None
    if done.returncode:
        raise BackupError(f"{tool} failed: {done.stderr.strip()[-500:]}")


# Files


def _room() -> Path:
    """A folder from which files are renamed into the database's place without copying."""
    return _sqlite_file().parent if connection.vendor == "sqlite" else Path(tempfile.gettempdir())


def _sqlite_file() -> Path:
    return Path(connection.settings_dict["NAME"])


@contextmanager
def _folder(beside: Path) -> Iterator[Path]:
    """A folder that only its owner can enter."""
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=beside) as folder:
            yield Path(folder)
    except (FileNotFoundError, PermissionError) as error:
        raise BackupError(f"{error.filename}: {error.strerror}.") from None


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
