"""Commands and servers as processes of their own, on the database that the test has as "default"."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from tests.own_database import ON_POSTGRES

ROOT = Path(__file__).resolve().parent.parent
SERVER = ["-m", "uvicorn", "labportal.asgi:application", "--loop", "uvloop", "--http", "httptools"]
QUIET = ["--no-access-log", "--log-level", "warning"]


def database_url() -> str:
    name = str(connections.settings["default"]["NAME"])
    return f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}" if ON_POSTGRES else f"sqlite:///{name}"


def environment(keys: str | None = None, **more: str) -> dict[str, str]:
    """The surroundings of a process: this one's keys, unless others are wanted."""
    return {
        **os.environ,
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
        timeout=60,
        check=False,
    )


@contextmanager
def begun(*arguments: str, keys: str | None = None, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, at the latest."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(keys, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()


@contextmanager
def server(log: Path, keys: str | None = None, **more: str) -> Iterator[str]:
    """A portal that answers; its address. What it has to say goes into the file."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as said:
        program = subprocess.Popen(
            [sys.executable, *SERVER, *QUIET, "--fd", str(listener.fileno())],
            cwd=ROOT,
            env=environment(keys, **more),
            pass_fds=[listener.fileno()],
            stdout=said,
            stderr=said,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            program.terminate()
            program.wait(10)


def line_of(program: subprocess.Popen[str], words: str, seconds: float = 30) -> str:
    """Wait for a line with these words. Fails when the process ends without it."""
    ends = time.monotonic() + seconds
    assert program.stdout is not None
    seen = []
    while time.monotonic() < ends and (line := program.stdout.readline()):
        seen.append(line)
        if words in line:
            return line
    raise AssertionError("".join(seen))
