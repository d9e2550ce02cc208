"""The nodes and pools of a cluster, in their tables."""

from datetime import datetime

from clusters import proxmox
from vms.models import Node, Pool


def write(cluster_id: str, answer: proxmox.Resources, started: datetime, *, is_complete: bool) -> None:
    _write_nodes(cluster_id, {node.name: node.online for node in answer.nodes}, started, is_complete=is_complete)
    pools = {*answer.pools} | {guest.pool for guest in answer.guests if guest.pool}
    _write_pools(cluster_id, pools, started, is_complete=is_complete)


def add_pools(cluster_id: str, names: set[str], started: datetime) -> None:
    """Add the pools that machines moved to. The next full answer tells which ones are empty."""
    if names:
        _write_pools(cluster_id, names, started, is_complete=False)


def _write_nodes(cluster_id: str, seen: dict[str, bool], started: datetime, *, is_complete: bool) -> None:
    rows = Node.objects.filter(cluster_id=cluster_id).order_by()
    known = {name: facts for name, *facts in rows.values_list("name", "online", "missing_since")}
    for name, online in seen.items():
        if name not in known:
            Node.objects.create(cluster_id=cluster_id, name=name, online=online, since=started)
        elif known[name] != [online, None]:
            since = {} if known[name][0] == online else {"since": started}
            rows.filter(name=name).update(online=online, missing_since=None, **since)
    if is_complete and (lost := {name for name, (_, missing) in known.items() if not missing} - seen.keys()):
        rows.filter(name__in=lost).update(missing_since=started)


def _write_pools(cluster_id: str, seen: set[str], started: datetime, *, is_complete: bool) -> None:
    rows = Pool.objects.filter(cluster_id=cluster_id).order_by()
    known = dict(rows.values_list("name", "missing_since"))
    if new := seen - known.keys():
        Pool.objects.bulk_create([Pool(cluster_id=cluster_id, name=name) for name in sorted(new)], batch_size=500)
    if returned := {name for name, missing in known.items() if missing} & seen:
        rows.filter(name__in=returned).update(missing_since=None)
    if is_complete and (lost := {name for name, missing in known.items() if not missing} - seen):
        rows.filter(name__in=lost).update(missing_since=started)
