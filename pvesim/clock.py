"""Where the simulator takes its time from."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Protocol

# How often a waiter looks at a manual clock, in real seconds.
POLL_INTERVAL = 0.002


class Clock(Protocol):
    def now(self) -> float: ...

    async def wait_until(self, moment: float) -> None: ...


class RealClock:
    """The time of day."""

    def now(self) -> float:
        return time.time()

    async def wait_until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self.now()))


class ManualClock:
    """A clock which moves only when it is told to, so that no test sleeps."""

    def __init__(self, start: float | None = None) -> None:
        self._now = float(int(time.time())) if start is None else start
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not go backwards")
        with self._lock:
            self._now += seconds

    async def wait_until(self, moment: float) -> None:
        while self.now() < moment:
            await asyncio.sleep(POLL_INTERVAL)
