"""One step of an operation, by whoever holds it."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from clusters import proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.models import Operation
from vms.operations.following import follow, give_up_late, look
from vms.operations.sending import send

logger = logging.getLogger(__name__)

State = Operation.State

# Most ends come within seconds, and somebody waits for them in front of his page. It shall not be two seconds behind,
# asks once a second, and beat and engine take their part. What takes long is looked at less and less often.
SOON, LATER = timedelta(seconds=0.4), timedelta(seconds=3)
OF_ITS_AGE = 25

STEPS: dict[str, Callable[[Operation, ClusterConfig], None]] = {
    State.REQUESTED: send,
    State.SENT: look,
    State.RUNNING: follow,
}


def work_on(operation: Operation) -> proxmox.ProxmoxError | None:
    """Take one step with an operation, if nobody else holds it. Returns what kept the step from being taken."""
    if not operation.claim(timezone.now()):
        return None
    try:
        config = registry.get(operation.cluster_id)
        STEPS[operation.state](operation, config)
    except registry.UnknownCluster:
        end = State.CANCELLED if operation.state == State.REQUESTED else State.UNKNOWN
        operation.finish(end, gettext_noop("The cluster was switched off meanwhile."), expected=operation.state)
    except proxmox.ProxmoxError as error:
        # The step only looked; another one looks again, until patience is over.
        logger.warning("%s: %s", operation, error.plain)
        give_up_late(operation, error.plain)
        return error
    finally:
        operation.release_lease(look_again_in=_pause(operation))
    return None


def _pause(operation: Operation) -> timedelta:
    since = operation.sent_at or operation.requested_at
    return max(SOON, min(LATER, (timezone.now() - since) / OF_ITS_AGE))
