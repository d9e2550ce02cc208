"""RQ's worker as one of many threads, so that connections to clusters are kept. Needs requirements-redis.txt."""

from typing import Any

from rq.timeouts import BaseDeathPenalty
from rq.worker import SimpleWorker


class NoDeathPenalty(BaseDeathPenalty):
    """Signals reach the main thread alone. The gateway has a deadline for everything that could hang."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class ThreadWorker(SimpleWorker):
    death_penalty_class = NoDeathPenalty

    def procline(self, message: Any) -> None:
        """The process has its own name."""
