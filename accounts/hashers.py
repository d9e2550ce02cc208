"""Password hashing that cannot exhaust the machine when a class logs in at the bell."""

import os
import threading

from django.contrib.auth.hashers import ScryptPasswordHasher

# A hash takes about 16 MiB: unlimited, 150 logins at once took 2.4 GB.
_one_per_processor = threading.BoundedSemaphore(os.cpu_count() or 1)


class CappedScryptPasswordHasher(ScryptPasswordHasher):
    """Scrypt, with at most one computation per processor at once in a process."""

    def encode(self, password: str, salt: str, n: int | None = None, r: int | None = None, p: int | None = None) -> str:
        with _one_per_processor:
            return super().encode(password, salt, n, r, p)
