"""Password hashing that cannot exhaust the machine when a class logs in at the bell."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher, ScryptPasswordHasher
from django.db import connections

# A hash of scrypt takes about 20 MiB: unlimited, 150 logins at once would take 3 GB.
_one_per_processor = threading.BoundedSemaphore(os.cpu_count() or 1)


@contextmanager
def _turn() -> Iterator[None]:
    """A login that waits gives its connection back to the pool: a queue of logins would leave none for others."""
    if not _one_per_processor.acquire(blocking=False):
        for connection in connections.all(initialized_only=True):
            if connection.vendor == "postgresql" and not connection.in_atomic_block:
                connection.close()
        _one_per_processor.acquire()
    try:
        yield
    finally:
        _one_per_processor.release()


class CappedArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id, with at most one computation per processor at once in a process.

    Time, memory (KiB) and lanes are one of the choices that OWASP's password storage cheat sheet calls equivalent. A
    hash takes about 18 ms of a processor, 22 with 19 MiB and two rounds; scrypt's of equal rank takes 160, of which 300
    in a minute leave two processors no time for pages.
    """

    time_cost, memory_cost, parallelism = 4, 9 * 1024, 1

    def encode(self, password: str, salt: str) -> str:
        with _turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turn():
            return super().verify(password, encoded)


class CappedScryptPasswordHasher(ScryptPasswordHasher):
    """The hasher of older passwords. Each is hashed anew when its owner logs in."""

    def encode(self, password: str, salt: str, n: int | None = None, r: int | None = None, p: int | None = None) -> str:
        with _turn():
            return super().encode(password, salt, n, r, p)
