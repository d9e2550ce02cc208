"""What a sync has to know of its cluster's row of `ClusterSync`, and what it writes there: with every sync."""

from datetime import datetime
from typing import Any, NamedTuple

from accounts import stored_messages
from accounts.compiled_queries import CompiledByKey, CompiledUpdate, moment
from clusters.models import Cluster
from vms.models import ClusterSync


class SyncState(NamedTuple):
    """Fields of `ClusterSync`. `deadline` in seconds."""

    cluster_id: str
    attempt: int
    deadline: int | None
    synced_at: datetime | None
    notice: str
    quorate: bool | None
    believe_down_to: int | None


_ROW = CompiledByKey(
    lambda cluster_id: ClusterSync.objects.filter(cluster_id=cluster_id).values_list(*SyncState._fields)
)
_LOCKED = CompiledByKey(
    lambda cluster_id: Cluster.objects.select_for_update().filter(cluster_id=cluster_id).values_list("pk")
)
_UPDATE = CompiledUpdate(ClusterSync)


def read(cluster_id: str) -> SyncState | None:
    row = _ROW.first_raw(cluster_id)
    if row is None:
        return None
    state = SyncState._make(row)
    return state._replace(
        synced_at=moment(state.synced_at), quorate=None if state.quorate is None else bool(state.quorate)
    )


def lock(cluster_id: str) -> SyncState | None:
    """Lock the cluster's row, against another sync and against deletion. None when the cluster is deleted."""
    if not _LOCKED.first_raw(cluster_id):
        return None
    state = read(cluster_id)
    if state is None:
        ClusterSync.objects.get_or_create(cluster_id=cluster_id)
        state = read(cluster_id)
    return state


def record(state: SyncState, started: datetime, answered: int, notice: str, *, is_full_read: bool) -> None:
    """A person's acceptance of a smaller answer is for one answer, and ends with it. `answered` in milliseconds."""
    values: dict[str, Any] = {
        "milliseconds": answered,
        "believe_down_to": None,
        **stored_messages.columns("notice", notice, most=300),
    }
    if is_full_read:
        values["synced_at"] = started
    _UPDATE.update({"cluster_id": state.cluster_id}, values)
