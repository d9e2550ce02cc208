"""Password hashing that cannot exhaust the machine when a class logs in at the bell."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import ScryptPasswordHasher
from django.db import connections

# A hash takes about 16 MiB: unlimited, 150 logins at once took 2.4 GB.
_one_per_processor = threading.BoundedSemaphore(os.cpu_count() or 1)


@contextmanager
def _turn() -> Iterator[None]:
    """Who has to wait gives his database connection back, or a queue of logins would leave none for others."""
    if not _one_per_processor.acquire(blocking=False):
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()
        _one_per_processor.acquire()
    try:
        yield
    finally:
        _one_per_processor.release()


class CappedScryptPasswordHasher(ScryptPasswordHasher):
    """Scrypt, with at most one computation per processor at once in a process."""

    def encode(self, password: str, salt: str, n: int | None = None, r: int | None = None, p: int | None = None) -> str:
        with _turn():
            return super().encode(password, salt, n, r, p)
