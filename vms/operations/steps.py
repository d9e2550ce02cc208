"""Takes one step of an operation, by the worker that has its lease: send, resolve or follow."""

import logging
from collections.abc import Callable

from django.utils import timezone

from clusters import proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.models import Operation
from vms.operations.following import finish_if_overdue, follow, pause_of, resolve
from vms.operations.sending import send
from vms.sentences import say

logger = logging.getLogger(__name__)

State = Operation.State

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
        if operation.is_open and operation.leased_until:
            operation.release_lease(look_again_in=pause_of(operation))
    return None
