"""What each read of a cluster brought, for the admin; and what is kept no longer."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from vms.inventory.sync_result import Outcome
from vms.models import Assignment, Node, Pool, SyncRun, VirtualMachine

# Machines, nodes and pools that are gone are kept so long.
GONE_KEPT = timedelta(days=30)

COUNTS = ("created", "changed", "missing", "gone")


def note(cluster_id: str, outcome: Outcome, *, at: datetime, milliseconds: int) -> None:
    """A row for it; of those in a row that brought nothing new, one row with their number."""
    same = {"outcome": outcome.result, "problem": outcome.problem[:300], "seen": outcome.seen}
    runs = SyncRun.objects.filter(cluster_id=cluster_id).values("pk", *same, *COUNTS)
    latest = None if outcome.is_news else runs.first()
    if latest and _is_like(latest, same):
        SyncRun.objects.filter(pk=latest["pk"]).update(runs=F("runs") + 1, last_at=at, milliseconds=milliseconds)
        return
    counts = {name: getattr(outcome, name) for name in COUNTS}
    SyncRun.objects.create(cluster_id=cluster_id, first_at=at, last_at=at, milliseconds=milliseconds, **same, **counts)


def _is_like(latest: dict[str, object], same: dict[str, object]) -> bool:
    return not any(latest[name] for name in COUNTS) and all(latest[name] == value for name, value in same.items())


def prune() -> int:
    """Delete what is too old to matter. A machine stays as long as somebody holds it."""
    now = timezone.now()
    held = Assignment.objects.live().values("vm")
    old = VirtualMachine.objects.filter(gone_at__lt=now - GONE_KEPT).exclude(pk__in=held)
    deleted = int(SyncRun.objects.prune(before=now - SyncRun.KEPT)) + int(old.delete()[0])
    for model in (Node, Pool):
        deleted += model._default_manager.filter(missing_since__lt=now - GONE_KEPT).delete()[0]
    return deleted
