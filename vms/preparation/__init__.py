"""From one person to the next: a machine that is freed goes to nobody before it was prepared as a person chose.

`free` is the one way in which people take machines from others, `keep` the one in which the portal does so by itself.
"""

from vms.preparation.outlook import Outlook, digest, of, register
from vms.preparation.release import Changed, free, give_back, keep, keep_longer, unreserve
from vms.preparation.steps import RELEASED, sweep, work_on

__all__ = [
    "RELEASED",
    "Changed",
    "Outlook",
    "digest",
    "free",
    "give_back",
    "keep",
    "keep_longer",
    "of",
    "register",
    "sweep",
    "unreserve",
    "work_on",
]
