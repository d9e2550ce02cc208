"""The result of one sync of a cluster."""

from dataclasses import dataclass

from vms.models import SyncRun

Outcome = SyncRun.Outcome


@dataclass(frozen=True)
class SyncResult:
    """Numbers of machines. `problem` is empty when the whole answer was applied.

    `lacking` counts the machines that the answer lacks, newly missing or not.
    """

    seen: int = 0
    created: int = 0
    changed: int = 0
    missing: int = 0
    gone: int = 0
    problem: str = ""
    outcome: Outcome = Outcome.OK
    lacking: int = 0

    @property
    def failed(self) -> bool:
        """Whether the cluster did not answer. A suspicious answer is an answer."""
        return self.outcome == Outcome.FAILED

    @property
    def is_news(self) -> bool:
        return bool(self.created or self.changed or self.missing or self.gone)
