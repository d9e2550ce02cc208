"""Changes the key again and again, killed each time at another point, and prints what was left of the secrets.

A program of its own, with two keys, on the database of the environment: `python -m tests.clusters.killed_rotations`.
"""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import django
from cryptography.fernet import Fernet, InvalidToken

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from encrypted_model_fields import fields as encrypted  # noqa: E402

from clusters import keys  # noqa: E402
from clusters.models import Cluster  # noqa: E402

KILLS = 50
CLUSTERS = 12
KEYS = list(settings.FIELD_ENCRYPTION_KEY)


def secret_of(number: int) -> str:
    return f"s3cret&<'\"%ü {number}"


def use(*in_order: str) -> None:
    settings.FIELD_ENCRYPTION_KEY = list(in_order)
    encrypted.CRYPTER = encrypted.get_crypter()


def stored() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM clusters ORDER BY id")
        found = [row[0] for row in cursor.fetchall()]
    connection.close()
    return found


def opened(ciphertext: str) -> tuple[str, str]:
    """The key that reads it, and what it reads."""
    for key in KEYS:
        try:
            return key, Fernet(key).decrypt(ciphertext.encode()).decode()
        except InvalidToken:
            continue
    return "", ""


class Points:
    """Every point at which a rotation can be interrupted: before and after each statement and the commit."""

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal, self.numbers, self.last = fatal, count(), -1

    def passed(self) -> None:
        self.last = next(self.numbers)
        if self.last == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, execute: Callable[..., Any], *args: Any) -> Any:
        self.passed()
        done = execute(*args)
        self.passed()
        return done

    def rotate(self) -> None:
        commit = connection._commit
        connection._commit = lambda: self.around(commit)
        with connection.execute_wrapper(self.around):
            keys.rotate()


def child(work: Callable[[], None]) -> int:
    """How a process ended that did this; the connection is its own."""
    connection.close()
    connection.close_pool() if connection.vendor == "postgresql" else None
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it was, the parent counts it
        os._exit(1)
    os._exit(0)


def number_of_points() -> int:
    reader, writer = os.pipe()

    def measure() -> None:
        points = Points()
        points.rotate()
        os.write(writer, str(points.last + 1).encode())

    assert child(measure) == 0
    return int(os.read(reader, 20))


def rounds() -> Iterator[dict[str, Any]]:
    dice = random.Random(1)  # noqa: S311 - the same points each time
    total = number_of_points()
    for point in [*dice.sample(range(total - 2), KILLS - 2), total - 2, total - 1]:
        now = opened(stored()[0])[0]
        fresh = next(key for key in KEYS if key != now)
        use(fresh, now)
        ended = child(Points(point).rotate)
        found = [opened(ciphertext) for ciphertext in stored()]
        yield {
            "killed": os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL,
            "readable": [text for _, text in found] == [secret_of(number) for number in range(CLUSTERS)],
            "twice": sum(text.startswith("gAAAA") for _, text in found),
            "keys": len({key for key, _ in found}),
            "done": found[0][0] == fresh,
        }


def main() -> None:
    use(KEYS[0])
    for number in range(CLUSTERS):
        values = {"host": "pve.test", "user": "portal@pve", "password": secret_of(number)}
        Cluster.objects.create(cluster_id=f"c{number}", **values)
    use(KEYS[1], KEYS[0])
    print(json.dumps(list(rounds())))


if __name__ == "__main__":
    main()
