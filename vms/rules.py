"""May this be done to this machine, and if not, why not: the ordered rules behind refusals and disabled buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from clusters.models import ClusterHealth
from vms.models import Operation, VirtualMachine

Action = Operation.Action

# The statuses from which an action makes sense. What is not listed makes sense from every status that is known.
NEEDED = {
    Action.START: "stopped",
    Action.SHUTDOWN: "running",
    Action.REBOOT: "running",
    Action.RESET: "running",
    Action.SUSPEND: "running",
    Action.RESUME: "paused",
}
OFF = {"stopped", "unknown"}

# What Proxmox VE does with virtual machines alone, or with containers as an experiment.
QEMU_ONLY = {Action.RESET, Action.SUSPEND, Action.RESUME}

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
    if now.machine.gone_at:
        return "The cluster does not have this machine any more. Ask your teacher."
    return "The cluster does not list this machine any more. Ask your teacher." if now.machine.missing_since else None


def node_answers(now: Situation, action: str) -> str | None:
    if not now.machine.silent_since:
        return None
    return "The machine's node does not answer. The buttons come back by themselves when it does."


def machine_is_no_template(now: Situation, action: str) -> str | None:
    return "This is a template: it is copied, never started." if now.machine.template else None


def nothing_under_way(now: Situation, action: str) -> str | None:
    if not now.open_operation:
        return None
    return f"“{now.open_operation.get_action_display()}” is under way. Wait until it is finished."


def machine_is_not_locked(now: Situation, action: str) -> str | None:
    lock = now.machine.lock
    return f"The machine is {LOCKS.get(lock, f'busy ({lock})')}. This usually takes minutes." if lock else None


def kind_fits(now: Situation, action: str) -> str | None:
    if action in QEMU_ONLY and now.machine.kind != VirtualMachine.Kind.QEMU:
        return "Containers cannot do this. Reboot it, or shut it down, instead."
    return None


def status_fits(now: Situation, action: str) -> str | None:
    status, needed = now.machine.status, NEEDED.get(Action(action))
    if needed:
        return None if status == needed else f"The machine is {status}, not {needed}."
    if action == Action.STOP:
        return None if status not in OFF else f"The machine is {status}."
    return None if status != "unknown" else "The state of the machine is unknown. Wait until its node answers again."


RULES: list[Rule] = [
    cluster_is_active,
    cluster_answers,
    machine_is_there,
    node_answers,
    machine_is_no_template,
    kind_fits,
    nothing_under_way,
    machine_is_not_locked,
    status_fits,
]


def why_not(now: Situation, action: str) -> str | None:
    """The first rule's refusal in a sentence for people, or None when the action may be requested."""
    return next((reason for rule in RULES if (reason := rule(now, action))), None)
