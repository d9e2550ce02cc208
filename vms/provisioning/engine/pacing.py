"""When a node is asked: for its tasks at most once a second, for addresses at most four times a second.

A question at the right moment costs no more than one at any other. The duration of each kind of task is learned from
the answers, so that a task is asked for when it should have ended.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

# Seconds between two questions to one node.
TASKS_EVERY = 1.0
ADDRESSES_EVERY = 0.25

# For how many seconds the tasks of others wait for the end of a clone, and the first of two clones for the second.
LONGEST_WAIT = TASKS_EVERY + 0.2
IN_STEP = 0.4

# Seconds that a node without an answer is left alone at most.
LONGEST_BACKOFF = 15.0

# The bounds of a duration are close enough together, in seconds. Then the upper one comes closer to the lower one with
# each task, as far as the margin; and the lower one, of a task that was slow, is forgotten.
PRECISION = 0.2
MARGIN = 0.05
CREEP = 0.01
FORGET = 0.0002


@dataclass
class Duration:
    """Of a kind of task, in seconds: it still ran after `least`, and had ended after `most`. None: not known yet."""

    least: float = 0.0
    most: float | None = None

    @property
    def expected(self) -> float | None:
        """A question that comes too early costs a whole second; so it is sought from above."""
        if self.most is None or self.most - self.least <= PRECISION:
            return self.most
        return self.most - (self.most - self.least) / 4

    def ran(self, after: float) -> None:
        """A task was still running so long after it was begun."""
        if self.most is None or after < self.most:
            self.least = max(self.least, after)
        else:  # they take longer than it seemed
            self.least, self.most = after, after + PRECISION

    def ended(self, after: float) -> None:
        """A task was seen to have ended so long after it was begun."""
        if self.most is None or self.most - self.least > PRECISION:
            self.most = after if self.most is None else min(self.most, after)
            self.least = min(self.least, self.most - PRECISION)
        else:  # slowly, because tasks differ, and one that was fast says little of the next
            self.least -= FORGET
            self.most = max(self.most - CREEP, self.least + MARGIN)


@dataclass(frozen=True)
class Task:
    """One that is under way on a node: its kind, and when it was begun, by a clock that only counts seconds."""

    upid: str
    node: str
    kind: str
    begun: float


@dataclass
class Pace:
    """Of one node. Times are of the same clock as those of the tasks."""

    durations: dict[str, Duration]
    asked: float = float("-inf")
    is_asking: bool = False
    failing_since: float | None = None
    _addresses_at: float = field(default=float("-inf"))

    def next_question(self, tasks: Iterable[Task]) -> float:
        """When to ask for these tasks; infinite without tasks.

        Others wait for clones: these fill the limits, so whatever is late for a clone delays all that follow.
        """
        clones: list[float] = []
        others: list[float] = []
        for task in tasks:
            (clones if task.kind.startswith("clone") else others).append(self._moment(task))
        first = min(others, default=float("inf"))
        if not clones:
            return first
        key = min(clones)
        # With it those that end a moment later: from then on they are in step.
        key = max(moment for moment in clones if moment <= key + IN_STEP)
        return key if first >= key else self._before(key, first)

    def _before(self, key: float, first: float) -> float:
        """When to ask for a task that ends first, so that a question is due again at the end of a clone.

        The time until then is divided into equal parts: no task waits for longer than one of them.
        """
        parts = int((key - self.asked) / TASKS_EVERY) if math.isfinite(self.asked) else 0
        part = (key - self.asked) / parts if parts else math.inf
        if part > LONGEST_WAIT:
            return first
        return min(key, self.asked + part * math.ceil((first - self.asked) / part - 0.01))

    def answered(self, at: float, running: Iterable[Task], ended: Iterable[Task]) -> None:
        """When the answer came, and which tasks it says to be running and to have ended."""
        self.asked, self.failing_since = at, None
        for task in ended:
            self._duration(task).ended(at - task.begun)
        for task in running:
            self._duration(task).ran(at - task.begun)

    def failed(self, now: float) -> None:
        """The node did not answer. It is asked more and more seldom: whoever asks waits for seconds."""
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.asked = now + min(now - self.failing_since, LONGEST_BACKOFF)

    def until_address(self, now: float) -> float:
        """Seconds until an address may be asked for. Zero counts as asked."""
        if now < self._addresses_at:
            return self._addresses_at - now
        self._addresses_at = now + ADDRESSES_EVERY
        return 0.0

    def _moment(self, task: Task) -> float:
        expected, earliest = self._duration(task).expected, self.asked + TASKS_EVERY
        return max(earliest, task.begun + (TASKS_EVERY if expected is None else expected))

    def _duration(self, task: Task) -> Duration:
        return self.durations.setdefault(task.kind, Duration())
