"""Sync: read a cluster by one call, compare the answer with the tables, and write what differs."""

from vms.inventory.cluster_facts import read_facts
from vms.inventory.details import clusters_with_details_due, details_waits, last_try, look_again, read_details
from vms.inventory.machine_table import LIST_LAG
from vms.inventory.shrink_guard import SUSPICIOUS_LOSS
from vms.inventory.sync_cluster import sync
from vms.inventory.sync_result import SyncResult
from vms.inventory.sync_runs import prune

__all__ = [
    "LIST_LAG",
    "SUSPICIOUS_LOSS",
    "SyncResult",
    "clusters_with_details_due",
    "details_waits",
    "last_try",
    "look_again",
    "prune",
    "read_details",
    "read_facts",
    "sync",
]
