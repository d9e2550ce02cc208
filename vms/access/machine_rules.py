"""The rules themselves, one function each: it returns the sentence of its refusal, or None.

Their labels, which staff see on the page *Why can't I?*, are in `rule_names`.
"""

import re
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from clusters.models import ClusterHealth
from vms import sentences
from vms.access import machine_states, restore_points
from vms.access.context import ActionContext
from vms.models import Operation, VirtualMachine
from vms.sentences import say

Action = Operation.Action

# The statuses from which an action makes sense. What is neither here nor in `_needed` does from every known status.
REQUIRED_STATUS = {
    Action.START: "stopped",
    Action.SHUTDOWN: "running",
    Action.REBOOT: "running",
    Action.SUSPEND: "running",
}
STARTABLE = {"stopped", "unknown"}

# A forced stop may end (Proxmox VE: overrule) a shutdown that takes longer than this, from this version on.
OVERRULE_AFTER = timedelta(seconds=60)
OVERRULE_SINCE = (8, 2)

# What Proxmox VE does with virtual machines alone, or with containers as an experiment.
VM_ONLY = {Action.RESET, Action.SUSPEND, Action.RESUME}

# The lock of a machine whose memory was written to its disk.
SUSPENDED_TO_DISK = "suspended"


def person_may_operate(context: ActionContext, action: str) -> str | None:
    if context.may_operate:
        return None
    return say("view-only" if context.person and context.person.is_staff else "not-yours")


def person_is_granted_the_cluster(context: ActionContext, action: str) -> str | None:
    if context.is_granted:
        return None
    return say("cluster-not-granted")


def cluster_is_active(context: ActionContext, action: str) -> str | None:
    return None if context.machine.cluster.is_active else say("cluster-inactive")


def cluster_answers(context: ActionContext, action: str) -> str | None:
    if context.health and context.health.ok:
        return None
    if context.health and context.health.has_bad_certificate:
        return say("cluster-untrusted")
    if context.health and context.health.rejects_credential:
        return say("cluster-rejects-credential")
    return say("cluster-silent")


def machine_is_there(context: ActionContext, action: str) -> str | None:
    if context.machine.gone_at:
        return say("machine-gone")
    if context.machine.missing_since:
        return say("machine-missing")
    return None


def node_answers(context: ActionContext, action: str) -> str | None:
    if not context.machine.silent_since:
        return None
    return say("node-silent")


def machine_is_no_template(context: ActionContext, action: str) -> str | None:
    return say("is-template") if context.machine.template else None


def nothing_under_way(context: ActionContext, action: str) -> str | None:
    overrules = action == Action.STOP and (may_overrule_shutdown(context) or _is_in_hand_of_ha(context))
    if not context.open_operation or action == Action.CONSOLE or overrules:
        return None
    return say("under-way", action=say(f"action-{context.open_operation.action}"))


def ha_has_not_given_up(context: ActionContext, action: str) -> str | None:
    """Until somebody clears the error state, Proxmox VE refuses each of these requests."""
    is_asked = action in {Action.START, Action.SHUTDOWN, Action.STOP}
    return say("ha-error") if is_asked and context.machine.ha_state == "error" else None


def _is_in_hand_of_ha(context: ActionContext) -> bool:
    return bool(context.open_operation and context.open_operation.is_handed_over)


def machine_is_not_locked(context: ActionContext, action: str) -> str | None:
    lock = "" if action == Action.CONSOLE else context.machine.lock  # looking on disturbs nothing
    if not lock:
        return None
    if lock == SUSPENDED_TO_DISK:
        return None if action == Action.START else say("machine-sleeps")
    return say("machine-locked", doing=sentences.lock(lock))


def disks_can_be_saved(context: ActionContext, action: str) -> str | None:
    if action == Action.SNAPSHOT and context.machine.no_snapshots:
        return say("no-snapshots-possible")
    return None


def kind_fits(context: ActionContext, action: str) -> str | None:
    if action in VM_ONLY and context.machine.kind != VirtualMachine.Kind.QEMU:
        return say("not-of-containers")
    return None


def consoles_are_offered(context: ActionContext, action: str) -> str | None:
    if action != Action.CONSOLE or settings.CONSOLES_PER_PROCESS:
        return None
    return say("no-consoles")


def status_fits(context: ActionContext, action: str) -> str | None:
    status = context.machine.status
    if status == "unknown":
        return say("state-unknown")
    if needed := _needed(Action(action), status):
        return say("wrong-status", status=sentences.status(status), needed=sentences.status(needed))
    if action == Action.STOP and status == "stopped" and not _is_in_hand_of_ha(context):
        return say("already-so", status=sentences.status(status))
    return None


def _needed(action: Operation.Action, status: str) -> str:
    """The status that the action needs instead; empty when this one will do."""
    state = machine_states.state(status)
    if action == Action.CONSOLE:
        return "" if state.has_process else "running"
    if action == Action.RESUME:
        return "" if state.resumes else "paused"
    if action == Action.RESET:
        return "" if state.resets or status == "running" else "running"
    needed = REQUIRED_STATUS.get(action, status)
    return "" if needed == status else needed


def snapshot_may_be_changed(context: ActionContext, action: str) -> str | None:
    if action not in {Action.SNAPSHOT, Action.DELETE_SNAPSHOT} or context.manages:
        return None
    if context.snapshot in {"", *restore_points.NAMES}:
        return None
    return say("only-save-point", save_point=restore_points.NAME)


def may_overrule_shutdown(context: ActionContext) -> bool:
    """Whether a shutdown has been running for so long that a forced stop may end it."""
    shutdown = context.open_operation
    if shutdown is None or shutdown.action != Action.SHUTDOWN or shutdown.state != Operation.State.RUNNING:
        return False
    is_late = shutdown.sent_at is not None and shutdown.sent_at < timezone.now() - OVERRULE_AFTER
    return is_late and overrules_shutdown(context.machine, context.health)


def overrules_shutdown(machine: VirtualMachine, health: ClusterHealth | None) -> bool:
    """Whether a stop on this cluster ends a running shutdown task. High availability decides for itself."""
    found = re.match(r"(\d+)\.(\d+)", health.version if health else "")
    return bool(found and (int(found[1]), int(found[2])) >= OVERRULE_SINCE and not machine.ha_state)
