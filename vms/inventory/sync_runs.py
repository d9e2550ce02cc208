"""The history of syncs, for the admin, and how long it is kept."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from accounts import stored_messages
from vms.inventory.sync_result import SyncResult
from vms.models import Assignment, Node, Pool, SyncRun, VirtualMachine

# How long machines, nodes and pools that are gone are kept.
GONE_KEPT = timedelta(days=30)

COUNTS = ("created", "changed", "missing", "gone")


def record(cluster_id: str, result: SyncResult, *, at: datetime, milliseconds: int) -> None:
    """Add a row for this sync. Consecutive syncs without changes share one row, which counts them."""
    same = {"outcome": result.outcome, "problem": stored_messages.english(result.problem)[:300], "seen": result.seen}
    runs = SyncRun.objects.filter(cluster_id=cluster_id).values("pk", *same, *COUNTS)
    latest = None if result.is_news else runs.first()
    if latest and _is_like(latest, same):
        SyncRun.objects.filter(pk=latest["pk"]).update(runs=F("runs") + 1, last_at=at, milliseconds=milliseconds)
        return
    counts = {name: getattr(result, name) for name in COUNTS}
    message = stored_messages.columns("problem", result.problem, most=300)
    moment = {"first_at": at, "last_at": at, "milliseconds": milliseconds}
    SyncRun.objects.create(cluster_id=cluster_id, **moment, **same | message, **counts)


def _is_like(latest: dict[str, object], same: dict[str, object]) -> bool:
    return not any(latest[name] for name in COUNTS) and all(latest[name] == value for name, value in same.items())


def prune() -> int:
    """Delete what is too old to matter. A machine stays while it is assigned."""
    now = timezone.now()
    assigned = Assignment.objects.live().values("vm")
    old = VirtualMachine.objects.filter(gone_at__lt=now - GONE_KEPT).exclude(pk__in=assigned)
    deleted = int(SyncRun.objects.prune(before=now - SyncRun.KEPT)) + int(old.delete()[0])
    for model in (Node, Pool):
        deleted += model._default_manager.filter(missing_since__lt=now - GONE_KEPT).delete()[0]
    return deleted
