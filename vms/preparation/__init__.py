"""Preparation: after a machine is freed, nobody gets it before it was prepared as a person chose.

People take machines from others by `free` alone, and the portal by `keep` alone.
"""

from vms.preparation.ending_assignments import Changed, free, keep, keep_longer, restore, unreserve
from vms.preparation.outlook import Outlook, digest, outlooks_for, register
from vms.preparation.preparing import LastStep, last_steps, reconcile, release_listeners, take_step

__all__ = [
    "Changed",
    "LastStep",
    "Outlook",
    "digest",
    "free",
    "keep",
    "keep_longer",
    "last_steps",
    "outlooks_for",
    "reconcile",
    "register",
    "release_listeners",
    "restore",
    "take_step",
    "unreserve",
]
