"""Debian's PgBouncer in transaction mode before the tests' PostgreSQL: on a port, and on a Unix socket."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from tests.own_database import ON_POSTGRES
from tests.waits import PDEATHSIG, TIMEOUT

PROGRAM = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@dataclass(frozen=True)
class Pooler:
    port: int
    folder: Path

    def leads_to(self, *, over_socket: bool = False) -> dict[str, str]:
        """For a connection's settings."""
        return {"HOST": str(self.folder) if over_socket else "127.0.0.1", "PORT": str(self.port)}

    def url(self, name: str) -> str:
        return f"postgres://labportal@127.0.0.1:{self.port}/{name}"


def configuration(server: dict[str, Any], folder: Path, port: int) -> str:
    known = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"], "password": server["PASSWORD"]}
    leads_to = " ".join(f"{name}={value}" for name, value in known.items() if value)
    return f"""[databases]
* = {leads_to}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


def as_somebody() -> dict[str, Any]:
    """PgBouncer refuses to be root, and the throw-away server's socket is in a folder of its user's own."""
    if os.getuid():
        return {}
    names = {person.pw_name for person in pwd.getpwall()}
    somebody = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}


@contextmanager
def pgbouncer() -> Iterator[Pooler]:
    somebody = as_somebody()
    with tempfile.TemporaryDirectory(prefix="pgb", dir="/tmp") as name:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        folder, said = Path(name), Path(name, "log")
        (folder / "ini").write_text(configuration(connections.settings["default"], folder, port))
        if somebody:
            for path in (folder, folder / "ini"):
                os.chown(path, somebody["user"], somebody["group"])
        with said.open("wb") as log:
            program = subprocess.Popen(
                [*PDEATHSIG, str(PROGRAM), str(folder / "ini")], stdout=log, stderr=log, **somebody
            )
            try:
                wait_for(port, program, said)
                yield Pooler(port, folder)
            finally:
                program.kill()
                program.wait(10)


def wait_for(port: int, program: subprocess.Popen[bytes], said: Path) -> None:
    ends = time.monotonic() + TIMEOUT
    while program.poll() is None and time.monotonic() < ends:
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=labportal dbname=postgres").close()
        except psycopg.OperationalError:
            continue
        return
    raise AssertionError(said.read_text())


@pytest.fixture(scope="module")
def pooler(django_db_setup: None) -> Iterator[Pooler]:
    if not ON_POSTGRES:
        pytest.skip("allowed: needs PostgreSQL: bin/test --postgres (apt install postgresql)")
    if not PROGRAM:
        pytest.skip("needs PgBouncer: apt install pgbouncer")
    with pgbouncer() as made:
        yield made
