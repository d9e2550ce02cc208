"""The interface of a queue backend. A queue holds names and ids; nothing reads a result from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

# Finished jobs are kept for whoever investigates a fault.
KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Job:
    """The function that a worker runs, and the queue that it came from."""

    queue: str
    run: Callable[[], object]


class QueueBackend(Protocol):
    # Raised while the server of the queue is away.
    outages: tuple[type[Exception], ...]

    def dequeue(self, queues: Sequence[str]) -> Job | None:
        """The next job of these queues, or None."""

    def forget_finished(self) -> None: ...
