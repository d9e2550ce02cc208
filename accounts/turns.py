"""A process makes a few pages at a time; who comes meanwhile waits in line.

Pages made at once take turns with the interpreter at each of their queries: forty of them are all late, and hold forty
connections to the database. A page that waits for a cluster lets others go on.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

# What machines ask every few seconds, and shall hear also when every place is taken.
WATCHED = {"/healthz", "/readyz", "/metrics"}

_place: ContextVar[threading.Semaphore | None] = ContextVar("place_among_pages", default=None)


def in_turn(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Make no more than PAGES_PER_PROCESS pages at once."""
    places = threading.Semaphore(settings.PAGES_PER_PROCESS)

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path in WATCHED:
            return get_response(request)
        with places:
            token = _place.set(places)
            try:
                return get_response(request)
            finally:
                _place.reset(token)

    return middleware


@contextmanager
def aside() -> Iterator[None]:
    """While a page waits for somebody else. Nothing happens outside of a page, within another `aside`, and within a
    transaction: all places could be taken by pages that wait for the end of it.
    """
    place = _place.get()
    if place is None or connection.in_atomic_block:
        yield
        return
    # Who stands aside already has no place to give away once more.
    token = _place.set(None)
    place.release()
    try:
        yield
    finally:
        place.acquire()
        _place.reset(token)
