"""The history of syncs, for the admin, and how long it is kept."""

from datetime import datetime, timedelta

from django.utils import timezone

from accounts import stored_messages
from accounts.compiled_queries import CompiledByKey, CompiledUpdate
from vms.inventory.sync_result import SyncResult
from vms.models import Assignment, Node, Pool, SyncRun, VirtualMachine

# How long machines, nodes and pools that are gone are kept.
GONE_KEPT = timedelta(days=30)

COUNTS = ("created", "changed", "missing", "gone")


_SAME = ("outcome", "problem", "seen")
_LATEST = CompiledByKey(
    lambda cluster_id: SyncRun.objects.filter(cluster_id=cluster_id).values_list("pk", "runs", *_SAME, *COUNTS)[:1]
)
_UPDATE = CompiledUpdate(SyncRun)


def record(cluster_id: str, result: SyncResult, *, at: datetime, milliseconds: int) -> None:
    """Add a row for this sync. Consecutive syncs without changes share one row, which counts them."""
    same = (str(result.outcome), stored_messages.english(result.problem)[:300], result.seen)
    latest = None if result.is_news else _LATEST.first_raw(cluster_id)
    if latest and latest[2:] == (*same, *(0 for _ in COUNTS)):
        again = {"runs": latest[1] + 1, "last_at": at, "milliseconds": milliseconds}
        _UPDATE.update({"pk": latest[0]}, again)
        return
    counts = {name: getattr(result, name) for name in COUNTS}
    message = stored_messages.columns("problem", result.problem, most=300)
    moment = {"first_at": at, "last_at": at, "milliseconds": milliseconds}
    SyncRun.objects.create(cluster_id=cluster_id, **moment, **dict(zip(_SAME, same, strict=True)) | message, **counts)


def prune() -> int:
    """Delete what is too old to matter. A machine stays while it is assigned."""
    now = timezone.now()
    assigned = Assignment.objects.live().values("vm")
    old = VirtualMachine.objects.filter(gone_at__lt=now - GONE_KEPT).exclude(pk__in=assigned)
    deleted = int(SyncRun.objects.prune(before=now - SyncRun.KEPT)) + int(old.delete()[0])
    for model in (Node, Pool):
        deleted += model._default_manager.filter(missing_since__lt=now - GONE_KEPT).delete()[0]
    return deleted
