"""A process makes a few pages at a time; who comes meanwhile waits in line.

Pages made at once take turns with the interpreter at each of their queries: forty of them are all late, and hold forty
connections to the database. A page that waits for a cluster lets others go on.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_place: ContextVar[threading.Semaphore | None] = ContextVar("place_among_pages", default=None)


def in_turn(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Make no more than PAGES_PER_PROCESS pages at once."""
    places = threading.Semaphore(settings.PAGES_PER_PROCESS)

    def middleware(request: HttpRequest) -> HttpResponse:
        with places:
            token = _place.set(places)
            try:
                return get_response(request)
            finally:
                _place.reset(token)

    return middleware


@contextmanager
def aside() -> Iterator[None]:
    """While a page waits for somebody else. Outside of a page, and within another one, nothing happens."""
    place = _place.get()
    if place is None:
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
