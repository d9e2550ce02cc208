"""Makes pages: Django's handler, with each request answered as a whole in one of a few threads that stay.

Django's own `ASGIHandler` starts a thread for each request, opens a database connection in it, and changes between this
thread and the event loop for every `process_view` of a middleware. The portal's pages are not asynchronous.

People load a slow page again, and again. What they asked for before is not made when its turn comes: only pages that
change something are, as they are asked for once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import IO, Any, TypeVar

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from accounts.concurrency import UNLIMITED_PATHS, Slots

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
T = TypeVar("T")

WAITING = 100  # pages that wait for clusters at once, without a slot but each in a thread


class Pages(ASGIHandler):
    """The ASGI application for HTTP. A request waits for its slot without a thread and without a connection."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._slots = Slots(settings.PAGES_PER_PROCESS)
        self._pages = ThreadPoolExecutor(settings.PAGES_PER_PROCESS + WAITING, "page")
        self._watched = ThreadPoolExecutor(2, "watched")
        self._static_files = ThreadPoolExecutor(2, "static")

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        try:
            body = await self.read_body(receive)
            answer = await self._submitted(scope, body, receive)
        except RequestAborted:
            return
        await self.send_response(await asyncio.wrap_future(answer), send)

    async def _submitted(self, scope: Scope, body: IO[bytes], receive: Receive) -> "Future[HttpResponseBase]":
        if scope["path"] in UNLIMITED_PATHS:
            return self._watched.submit(self._answer, scope, body)
        if scope["path"].startswith(settings.STATIC_URL):
            return self._static_files.submit(self._answer, scope, body)
        answer = self._slots.submit(self._pages, partial(self._answer, scope, body))
        if scope["method"] != "GET" or self._slots.are_free:
            return await answer
        try:
            return await _unless_they_leave(answer, receive)
        except RequestAborted:
            body.close()
            raise

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """The response in full. Its database connection belongs to this thread, so the request ends here, too."""
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refused = self.create_request(scope, body)
            response: Any = refused if request is None else self.get_response(request)
            response._handler_class = self.__class__
            try:
                return _whole(response) if isinstance(response, StreamingHttpResponse) else response
            finally:
                response.close()


async def _unless_they_leave(answer: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Raises `RequestAborted` when the client leaves while its request waits for a slot."""
    slot, left = asyncio.create_task(answer), asyncio.ensure_future(receive())
    try:
        await asyncio.wait({slot, left}, return_when=asyncio.FIRST_COMPLETED)
        if slot.done():
            return slot.result()
        raise RequestAborted
    finally:
        slot.cancel()
        left.cancel()


def _whole(response: StreamingHttpResponse) -> HttpResponse:
    """Static files are streamed: outside of this thread the event loop would wait for the disk."""
    whole = HttpResponse(b"".join(response), status=response.status_code, reason=response.reason_phrase)
    whole.headers, whole.cookies = response.headers, response.cookies
    return whole
