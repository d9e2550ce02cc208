"""What clusters have: read by one call a cluster, compared with the tables, and written where it differs."""

from vms.inventory.cluster_facts import ask_facts
from vms.inventory.details import clusters_with_details_due, look_closer
from vms.inventory.machine_table import LIST_LAG
from vms.inventory.shrink_guard import SUSPICIOUS_LOSS
from vms.inventory.sync_cluster import sync
from vms.inventory.sync_result import Outcome
from vms.inventory.sync_runs import prune

__all__ = [
    "LIST_LAG",
    "SUSPICIOUS_LOSS",
    "Outcome",
    "ask_facts",
    "clusters_with_details_due",
    "look_closer",
    "prune",
    "sync",
]
