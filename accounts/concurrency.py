"""Limits how many pages a process makes at once; further requests wait for a slot.

Without it, two processes hold up to 80 connections to PostgreSQL when a class begins, and with it 35, with the same
CPU and no later answers (`bin/bench --postgres bell`). The server's own limit (uvicorn's --limit-concurrency) turns
requests away instead of queueing them, and counts consoles; the connection pool's timeout is short, because it has to
tell an outage. A page that waits for a cluster releases its slot meanwhile.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

# Asked by monitoring every few seconds; answered also while every slot is taken.
UNLIMITED_PATHS = {"/healthz", "/readyz", "/metrics"}

_slots: ContextVar[threading.Semaphore | None] = ContextVar("slots_of_pages", default=None)


def limit_concurrency(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: make no more than PAGES_PER_PROCESS pages at once."""
    slots = threading.Semaphore(settings.PAGES_PER_PROCESS)

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path in UNLIMITED_PATHS:
            return get_response(request)
        with slots:
            token = _slots.set(slots)
            try:
                return get_response(request)
            finally:
                _slots.reset(token)

    return middleware


@contextmanager
def release_slot() -> Iterator[None]:
    """While a page waits for something else than its own work.

    Nothing happens outside of a page, within another `release_slot`, and within a transaction: every slot could be
    taken by a page that waits for the end of it.
    """
    slots = _slots.get()
    if slots is None or connection.in_atomic_block:
        yield
        return
    token = _slots.set(None)  # a nested call has no slot to release
    slots.release()
    try:
        yield
    finally:
        slots.acquire()
        _slots.reset(token)
