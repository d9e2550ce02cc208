"""Request, admit, send, follow, settle: the lifecycle of every action on a machine.

The row is authoritative. It is committed before anything is sent, sent once, and never sent again by itself: a worker
that takes over from a dead one asks the cluster, and does not repeat.
"""

from vms.models.batches import BATCH_ACTIONS
from vms.operations.admission import MAX_WAIT, admit, queue_position, queue_positions
from vms.operations.automatic import Requested, request_for
from vms.operations.batches import MAX_MACHINES, request_many
from vms.operations.following import SETTLE_WITHIN
from vms.operations.kinds import KINDS, Kind
from vms.operations.reconcile import follow_cluster, reconcile_open
from vms.operations.requesting import Refused, cancel, request
from vms.operations.sending import SEND_WITHIN
from vms.operations.steps import STEPS, take_step

__all__ = [
    "BATCH_ACTIONS",
    "KINDS",
    "MAX_MACHINES",
    "MAX_WAIT",
    "SEND_WITHIN",
    "SETTLE_WITHIN",
    "STEPS",
    "Kind",
    "Refused",
    "Requested",
    "admit",
    "cancel",
    "follow_cluster",
    "queue_position",
    "queue_positions",
    "reconcile_open",
    "request",
    "request_for",
    "request_many",
    "take_step",
]
