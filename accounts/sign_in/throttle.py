"""Limits what is done for people who come from outside and fail: anybody can send anything to those addresses.

Both limits are of one process, and count what fails or waits: a class of 300 that signs in at the bell meets neither.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections as databases

from accounts.concurrency import release_slot

AT_ONCE = 16  # people for whom a provider is asked
PATIENCE = 10.0  # seconds to wait for that
FAILURES, WITHIN = 60, 5 * 60.0  # of one address, within so many seconds
MOST_ADDRESSES = 2000

_slots = threading.BoundedSemaphore(AT_ONCE)
_failures: OrderedDict[str | None, deque[float]] = OrderedDict()
_guard = threading.Lock()


class FailedTooOften(Exception):
    """Nothing is asked for this address for a while."""


class Busy(Exception):
    """Nothing is asked for anybody right now."""


@contextmanager
def asking(address: str | None) -> Iterator[None]:
    """While a provider is asked for somebody at this address. No page waits for this one's slot or connection.

    Raises `FailedTooOften`, or `Busy`, when too much is going on.
    """
    if failed_too_often(address):
        raise FailedTooOften
    for database in databases.all(initialized_only=True):
        if not database.in_atomic_block:
            database.close()
    with release_slot():
        if not _slots.acquire(timeout=PATIENCE):
            raise Busy
        try:
            yield
        finally:
            _slots.release()


def failed_too_often(address: str | None) -> bool:
    with _guard:
        failed = _failures.get(address, ())
        return len(failed) >= FAILURES and time.monotonic() - failed[-FAILURES] < WITHIN


def note_failure(address: str | None) -> None:
    with _guard:
        _failures.setdefault(address, deque(maxlen=FAILURES)).append(time.monotonic())
        _failures.move_to_end(address)
        while len(_failures) > MOST_ADDRESSES:
            _failures.popitem(last=False)


def forget() -> None:
    with _guard:
        _failures.clear()
