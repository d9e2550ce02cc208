"""Messages about machines and operations, by the codes under which they are stored: a file for each subject."""

from clusters.sentences import say
from vms.sentences import alerts, consoles, operations, preparations, provisioning, refusals, syncs
from vms.sentences.states import LOCKS, lock, status

__all__ = [
    "LOCKS",
    "alerts",
    "consoles",
    "lock",
    "operations",
    "preparations",
    "provisioning",
    "refusals",
    "say",
    "status",
    "syncs",
]
