"""The portal as a process of its own, for what cannot be seen from within."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.waits import PDEATHSIG, TIMEOUT, stop_process

ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = ["--no-access-log", "--log-level", "warning"]
SERVER = ["-m", "uvicorn", "labportal.asgi:application", "--loop", "uvloop", "--http", "httptools", *QUIET]


@contextmanager
def portal(database_url: str) -> Iterator[str]:
    """Its address. The server is the product's; the database is whatever the URL leads to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = subprocess.Popen(
            [*PDEATHSIG, sys.executable, *SERVER, "--fd", str(listener.fileno())],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop_process(program)


@contextmanager
def silence() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def get(url: str, **more: Any) -> requests.Response:
    """Past whatever proxy the environment names."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=TIMEOUT, allow_redirects=False, **more)


def offspring(pid: int) -> set[int]:
    """The processes below this one."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
    found, new = set(), {pid}
    while new := {child for child, parent in parents.items() if parent in new} - found:
        found |= new
    return found


def ended(pids: set[int], *, within: float) -> bool:
    """Whether all of these processes end in time, in seconds."""
    deadline = time.monotonic() + within
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            waiting = select.poll()  # select.select() knows no number above 1023
            waiting.register(handle, select.POLLIN)
            ready = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)
            os.close(handle)
            if not ready:
                return False
    return True
