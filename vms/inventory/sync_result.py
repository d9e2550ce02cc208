"""What became of one read of a cluster."""

from dataclasses import dataclass

from vms.models import SyncRun

Result = SyncRun.Outcome


@dataclass(frozen=True)
class Outcome:
    """In machines. `problem` is empty when the answer was taken over whole.

    `lacking` counts those that the answer lacks newly missing or not, when it was compared.
    """

    seen: int = 0
    created: int = 0
    changed: int = 0
    missing: int = 0
    gone: int = 0
    problem: str = ""
    result: Result = Result.OK
    lacking: int = 0

    @property
    def failed(self) -> bool:
        """Whether there was no answer. One that is not believed is an answer."""
        return self.result == Result.FAILED

    @property
    def is_news(self) -> bool:
        return bool(self.created or self.changed or self.missing or self.gone)
