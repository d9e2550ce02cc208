"""Takes one step of an operation, by the worker that has its lease: send, resolve or follow."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from clusters import proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.models import Operation
from vms.operations.following import finish_if_overdue, follow, resolve
from vms.operations.sending import send
from vms.sentences import say

logger = logging.getLogger(__name__)

State = Operation.State

# Most operations end within seconds, while somebody waits at a page that polls once a second; heartbeat and queue add
# their delay. Long operations are checked less and less often.
MIN_PAUSE, MAX_PAUSE = timedelta(seconds=0.4), timedelta(seconds=3)
AGE_DIVISOR = 25

STEPS: dict[str, Callable[[Operation, ClusterConfig], None]] = {
    State.REQUESTED: send,
    State.SENT: resolve,
    State.RUNNING: follow,
}


def take_step(operation: Operation) -> proxmox.ProxmoxError | None:
    """Take one step, unless another worker has the lease. Returns the error that prevented the step."""
    if not operation.claim(timezone.now()):
        return None
    try:
        config = registry.get(operation.cluster_id)
        STEPS[operation.state](operation, config)
    except registry.UnknownCluster:
        end = State.CANCELLED if operation.state == State.REQUESTED else State.UNKNOWN
        operation.finish(end, say("cluster-switched-off"), expected=operation.state)
    except proxmox.ProxmoxError as error:
        # The step only read; the next one reads again, until the timeout.
        logger.warning("%s: %s", operation, error)
        finish_if_overdue(operation, error.plain)
        return error
    finally:
        if operation.is_open:
            operation.release_lease(look_again_in=pause_of(operation))
    return None


def pause_of(operation: Operation) -> timedelta:
    """How long until its task is asked for again."""
    since = operation.sent_at or operation.requested_at
    return max(MIN_PAUSE, min(MAX_PAUSE, (timezone.now() - since) / AGE_DIVISOR))
