"""Calls to a cluster, each in a thread, so that one that hangs delays no other. They touch no table of machines."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from django.db import connections

from clusters import gateway, proxmox
from clusters.config import ClusterConfig

# Calls at once. An agent that does not run yet takes three seconds to say so.
THREADS = 12

# Seconds for which others are waited for when one answer has come.
LINGER = 0.015


@dataclass(frozen=True)
class Answer:
    """What a call returned or raised, when, and for what it was made: the key that came with it."""

    key: object
    value: object = None
    error: proxmox.ProxmoxError | None = None
    at: float = field(default_factory=time.monotonic)


class Calls:
    """The calls of one worker to one cluster. A context manager: connections are kept until its end.

    Without threads a call is made at once, by the caller: tests see one thing after the other.
    """

    def __init__(self, config: ClusterConfig, *, threads: int = THREADS) -> None:
        self._config = config
        self._threads = threads
        self._answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        # The one that was used last comes first: its connection is still open.
        self._makers: queue.LifoQueue[proxmox.Maker] = queue.LifoQueue()
        self._open = ExitStack()
        self.under_way = 0

    def __enter__(self) -> Self:
        if self._threads:
            self._pool = self._open.enter_context(ThreadPoolExecutor(self._threads, thread_name_prefix="making"))
        for _ in range(self._threads or 1):
            self._makers.put(self._open.enter_context(gateway.make(self._config)))
        # Calls end before the connections that they use.
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads:
            self._pool.shutdown(wait=True)
        self._open.close()

    @property
    def has_room(self) -> bool:
        return self.under_way < (self._threads or 1)

    def begin(self, key: object, call: Callable[[proxmox.Maker], object]) -> None:
        self.under_way += 1
        if self._threads:
            self._pool.submit(self._in_thread, key, call)
        else:
            self._make(key, call)

    def answers(self, *, within: float = 0.0) -> list[Answer]:
        """What has come; waits for the first so many seconds. Raises what no cluster said."""
        found = []
        try:
            found.append(self._answers.get(timeout=within) if within > 0 else self._answers.get_nowait())
            if self.under_way > 1 and self._threads:
                time.sleep(LINGER)  # calls that were begun together end together, and one transaction is for all
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            pass
        self.under_way -= len(found)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if isinstance(one, Answer)]

    def _in_thread(self, key: object, call: Callable[[proxmox.Maker], object]) -> None:
        try:
            self._make(key, call)
        finally:
            connections.close_all()  # the login throttle may have opened one

    def _make(self, key: object, call: Callable[[proxmox.Maker], object]) -> None:
        maker = self._makers.get()
        try:
            self._answers.put(Answer(key, value=call(maker)))
        except proxmox.ProxmoxError as error:
            self._answers.put(Answer(key, error=error))
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            self._answers.put(error)
        finally:
            self._makers.put(maker)
