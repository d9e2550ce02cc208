"""Commands and servers as processes of their own, on the database that the test has as "default"."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from tests.own_database import ON_POSTGRES
from tests.waits import PDEATHSIG, TIMEOUT, stop_process

ROOT = Path(__file__).resolve().parent.parent
SERVER = ["-m", "uvicorn", "labportal.asgi:application", "--loop", "uvloop", "--http", "httptools"]
QUIET = ["--no-access-log", "--log-level", "warning"]


def database_url() -> str:
    name = str(connections.settings["default"]["NAME"])
    return f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}" if ON_POSTGRES else f"sqlite:///{name}"


def environment(keys: str | None = None, **more: str) -> dict[str, str]:
    """The surroundings of a process: this one's keys, unless others are wanted."""
    return {
        # A service has no such variable: what a program does not flush, nobody reads.
        **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEY": ",".join(settings.FIELD_ENCRYPTION_KEY) if keys is None else keys,
        **more,
    }


def manage(*arguments: str, keys: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(keys, **more),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@contextmanager
def begun(*arguments: str, keys: str | None = None, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, at the latest."""
    with subprocess.Popen(
        [*PDEATHSIG, sys.executable, *arguments],
        cwd=ROOT,
        env=environment(keys, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            stop_process(program, 10)


@contextmanager
def server(log: Path, keys: str | None = None, **more: str) -> Iterator[str]:
    """A portal that answers; its address. What it has to say goes into the file."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as said:
        program = subprocess.Popen(
            [*PDEATHSIG, sys.executable, *SERVER, *QUIET, "--fd", str(listener.fileno())],
            cwd=ROOT,
            env=environment(keys, **more),
            pass_fds=[listener.fileno()],
            stdout=said,
            stderr=said,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop_process(program, 10)
