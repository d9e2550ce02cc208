"""May this be done to this machine, and if not, why not: the ordered rules behind refusals and disabled buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from clusters.models import ClusterHealth
from vms.models import Operation, VirtualMachine

# The statuses from which an action makes sense. A status that the portal does not know forbids nothing but a start.
STARTABLE = {"stopped"}
RUNNING = {"running"}
OFF = {"stopped", "unknown"}

LOCKS = {
    "backup": "being backed up",
    "snapshot": "being saved as a snapshot",
    "snapshot-delete": "being cleared of a snapshot",
    "rollback": "being reverted",
    "clone": "being copied",
    "migrate": "being moved to another node",
    "create": "being created",
    "suspending": "being suspended",
}


@dataclass(frozen=True)
class Situation:
    """A machine with what the rules look at: its cluster's health (None: never asked) and its open operation."""

    machine: VirtualMachine
    health: ClusterHealth | None
    open_operation: Operation | None


Rule = Callable[[Situation, str], str | None]


def cluster_is_active(now: Situation, action: str) -> str | None:
    return None if now.machine.cluster.is_active else "This cluster is switched off. Ask an administrator."


def cluster_answers(now: Situation, action: str) -> str | None:
    if now.health and now.health.ok:
        return None
    return "The cluster does not answer at the moment. The portal keeps asking; the buttons come back by themselves."


def machine_is_there(now: Situation, action: str) -> str | None:
    return "The cluster does not list this machine any more. Ask your teacher." if now.machine.missing_since else None


def machine_is_no_template(now: Situation, action: str) -> str | None:
    return "This is a template: it is copied, never started." if now.machine.template else None


def nothing_under_way(now: Situation, action: str) -> str | None:
    if not now.open_operation:
        return None
    return f"“{now.open_operation.get_action_display()}” is under way. Wait until it is finished."


def machine_is_not_locked(now: Situation, action: str) -> str | None:
    lock = now.machine.lock
    return f"The machine is {LOCKS.get(lock, f'busy ({lock})')}. This usually takes minutes." if lock else None


def status_fits(now: Situation, action: str) -> str | None:
    status = now.machine.status
    if action == Operation.Action.START:
        return None if status in STARTABLE else f"The machine is {status}, not stopped."
    if action == Operation.Action.STOP:
        return None if status not in OFF else f"The machine is {status}."
    return None if status in RUNNING else f"The machine is {status}, not running."


RULES: list[Rule] = [
    cluster_is_active,
    cluster_answers,
    machine_is_there,
    machine_is_no_template,
    nothing_under_way,
    machine_is_not_locked,
    status_fits,
]


def why_not(now: Situation, action: str) -> str | None:
    """The first rule's refusal in a sentence for people, or None when the action may be requested."""
    return next((reason for rule in RULES if (reason := rule(now, action))), None)
