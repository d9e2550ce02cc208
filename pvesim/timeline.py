"""Events in simulated time. They run when somebody looks, not when they are due."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from pvesim.clock import Clock

Action = Callable[[], None]


class Timeline:
    """What happens later, in order. While an event runs, `now()` is the moment it was due."""

    def __init__(self, clock: Clock, lock: threading.RLock | None = None) -> None:
        self.clock = clock
        self.lock = lock or threading.RLock()
        self._due: list[tuple[float, int, Action]] = []
        self._sequence = itertools.count()
        self._moment: float | None = None
        self._watchers: list[Callable[[float], None]] = []
        self.generation = 0

    def now(self) -> float:
        return self.clock.now() if self._moment is None else self._moment

    def touch(self) -> None:
        """Something changed which lists show: what was made of the old state is stale."""
        self.generation += 1

    def watch(self, watcher: Callable[[float], None]) -> None:
        """Call `watcher` with a time just before the world changes at that time."""
        self._watchers.append(watcher)

    def after(self, seconds: float, action: Action) -> None:
        heapq.heappush(self._due, (self.now() + seconds, next(self._sequence), action))

    def settle(self) -> None:
        """Let everything happen which is due by now."""
        with self.lock:
            if self._moment is None:
                try:
                    self._run_until(self.clock.now())
                finally:
                    self._moment = None

    def _run_until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            moment, _, action = heapq.heappop(self._due)
            self._pass(moment)
            action()
        self._pass(end)

    def _pass(self, moment: float) -> None:
        self._moment = moment
        for watcher in self._watchers:
            watcher(moment)
