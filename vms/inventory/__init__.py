"""What clusters have: read by one call a cluster, compared with the tables, and written where it differs."""

from vms.inventory.details import clusters_with_details_due, look_closer
from vms.inventory.facts import ask_facts
from vms.inventory.outcome import Outcome
from vms.inventory.reading import sync
from vms.inventory.runs import prune
from vms.inventory.suspicion import SUSPICIOUS_LOSS
from vms.inventory.table import LIST_LAG

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
