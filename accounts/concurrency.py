"""Limits how many pages a process makes at once; further requests wait for a slot.

Without it, two processes hold up to 80 connections to PostgreSQL when a class begins, and with it 35, with the same
CPU and no later answers (`bin/bench --postgres bell`). The server's own limit (uvicorn's --limit-concurrency) turns
requests away instead of queueing them, and counts consoles; the connection pool's timeout is short, because it has to
tell an outage. A page that waits for a cluster releases its slot meanwhile.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

from django.db import connection

# Asked by monitoring every few seconds; answered also while every slot is taken.
UNLIMITED_PATHS = {"/healthz", "/readyz", "/metrics"}

R = TypeVar("R")


class Slots:
    """A semaphore for which coroutines and threads wait, in the order in which they came."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @property
    def are_free(self) -> bool:
        return self._free > 0

    async def submit(self, threads: Executor, act: Callable[[], R]) -> "Future[R]":
        """Give `act` to a thread as soon as there is a slot. The slot is free again when it has ended."""
        place = self._asked()
        if not place.done():
            await self._waited(place)
        context = copy_context()
        context.run(_slots.set, self)
        work = threads.submit(lambda: context.run(act))
        work.add_done_callback(lambda _: self.give_back())
        return work

    async def _waited(self, place: "Future[None]") -> None:
        """Who leaves just when the slot was given gives it back."""
        try:
            await asyncio.wrap_future(place)
        except asyncio.CancelledError:
            if not place.cancel():
                self.give_back()
            raise

    def take(self) -> None:
        """Wait in this thread."""
        self._asked().result()

    def give_back(self) -> None:
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    break
            else:
                self._free += 1
                return
        place.set_result(None)

    def _asked(self) -> "Future[None]":
        """Done when there is a slot."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                place.set_result(None)
            else:
                self._waiting.append(place)
        return place


_slots: ContextVar[Slots | None] = ContextVar("slots_of_pages", default=None)


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
    slots.give_back()
    try:
        yield
    finally:
        slots.take()
        _slots.reset(token)
