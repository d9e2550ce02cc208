"""Request, admit, send, follow, settle: the way of every action on a machine.

The row is the truth. It is committed before the cluster hears of it, sent once, and never sent again by itself:
whoever takes over from a dead worker looks, and does not repeat.
"""

from vms.models.batches import FOR_MANY
from vms.operations.admission import WAIT_FOR, admit, position, waiting_before
from vms.operations.batches import MOST_MACHINES, request_many
from vms.operations.following import SETTLE_WITHIN
from vms.operations.kinds import KINDS, Kind
from vms.operations.reconcile import follow_all, sweep
from vms.operations.requesting import Refused, cancel, request
from vms.operations.sending import SEND_WITHIN
from vms.operations.steps import STEPS, work_on

__all__ = [
    "FOR_MANY",
    "KINDS",
    "MOST_MACHINES",
    "SEND_WITHIN",
    "SETTLE_WITHIN",
    "STEPS",
    "WAIT_FOR",
    "Kind",
    "Refused",
    "admit",
    "cancel",
    "follow_all",
    "position",
    "request",
    "request_many",
    "sweep",
    "waiting_before",
    "work_on",
]
