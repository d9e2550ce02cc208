"""The rules about machines. Each returns a sentence that tells the person why not, or None when it does not object.

The name of a rule, in words, is what it asks for: staff see it on the page *Why can't I?*.
"""

import re
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import ClusterHealth
from vms.access import restore_points
from vms.access.context import ActionContext
from vms.models import Operation, VirtualMachine

Action = Operation.Action

# The statuses from which an action makes sense. What is not listed makes sense from every status that is known.
REQUIRED_STATUS = {
    Action.START: "stopped",
    Action.SHUTDOWN: "running",
    Action.REBOOT: "running",
    Action.RESET: "running",
    Action.SUSPEND: "running",
    Action.RESUME: "paused",
    Action.CONSOLE: "running",
}
STARTABLE = {"stopped", "unknown"}

# A forced stop may end (Proxmox VE: overrule) a shutdown that takes longer than this, from this version on.
OVERRULE_AFTER = timedelta(seconds=60)
OVERRULE_SINCE = (8, 2)

# What Proxmox VE does with virtual machines alone, or with containers as an experiment.
VM_ONLY = {Action.RESET, Action.SUSPEND, Action.RESUME}

# The lock of a machine whose memory was written to its disk.
SUSPENDED_TO_DISK = "suspended"

# What a lock means, to be said after “the machine is”.
LOCK_LABELS = {
    "backup": gettext_lazy("being backed up"),
    "snapshot": gettext_lazy("being saved as a snapshot"),
    "snapshot-delete": gettext_lazy("being cleared of a snapshot"),
    "rollback": gettext_lazy("being reverted"),
    "clone": gettext_lazy("being copied"),
    "migrate": gettext_lazy("being moved to another node"),
    "create": gettext_lazy("being created"),
    "suspending": gettext_lazy("being suspended"),
    "disk": gettext_lazy("getting another disk"),
    "fstrim": gettext_lazy("being cleared of unused space"),
    "mounted": gettext_lazy("open on its node for repairs"),
    "destroyed": gettext_lazy("being deleted"),
}


def person_may_operate(context: ActionContext, action: str) -> str | None:
    if context.may_operate:
        return None
    return _("This machine is not assigned to this account, nor looked after by it. Ask your teacher.")


def person_is_granted_the_cluster(context: ActionContext, action: str) -> str | None:
    if context.is_granted:
        return None
    return _("This cluster is only for people who were granted it. Ask your teacher or an administrator.")


def cluster_is_active(context: ActionContext, action: str) -> str | None:
    return None if context.machine.cluster.is_active else _("This cluster is switched off. Ask an administrator.")


def cluster_answers(context: ActionContext, action: str) -> str | None:
    if context.health and context.health.ok:
        return None
    return _(
        "The cluster does not answer at the moment. The portal keeps asking, and the administrators see it too; "
        "the buttons come back by themselves."
    )


def machine_is_there(context: ActionContext, action: str) -> str | None:
    if context.machine.gone_at:
        return _("The cluster does not have this machine any more. Ask your teacher.")
    if context.machine.missing_since:
        return _("The cluster does not list this machine any more. Ask your teacher.")
    return None


def node_answers(context: ActionContext, action: str) -> str | None:
    if not context.machine.silent_since:
        return None
    return _("The machine's node does not answer. The buttons come back by themselves when it does.")


def machine_is_no_template(context: ActionContext, action: str) -> str | None:
    return _("This is a template: it is copied, never started.") if context.machine.template else None


def nothing_under_way(context: ActionContext, action: str) -> str | None:
    overrules = action == Action.STOP and may_overrule_shutdown(context)
    if not context.open_operation or action == Action.CONSOLE or overrules:
        return None
    return _("“%(action)s” is under way. Wait until it is finished.") % {
        "action": context.open_operation.get_action_display()
    }


def machine_is_not_locked(context: ActionContext, action: str) -> str | None:
    lock = "" if action == Action.CONSOLE else context.machine.lock  # looking on disturbs nothing
    if not lock:
        return None
    if lock == SUSPENDED_TO_DISK:
        return None if action == Action.START else _("The machine sleeps. Start it, and it goes on where it was.")
    doing = LOCK_LABELS.get(lock) or _("busy (%(lock)s)") % {"lock": lock}
    return _("The machine is %(doing)s. This usually takes minutes.") % {"doing": doing}


def kind_fits(context: ActionContext, action: str) -> str | None:
    if action in VM_ONLY and context.machine.kind != VirtualMachine.Kind.QEMU:
        return _("Containers cannot do this. Reboot it, or shut it down, instead.")
    return None


def consoles_are_offered(context: ActionContext, action: str) -> str | None:
    if action != Action.CONSOLE or settings.CONSOLES_PER_PROCESS:
        return None
    return _("This portal shows no screens in the browser. Use a remote desktop or SSH instead.")


def status_fits(context: ActionContext, action: str) -> str | None:
    status, needed = context.machine.status, REQUIRED_STATUS.get(Action(action))
    if status == "unknown":
        return _("The state of the machine is unknown. Wait until its node answers again.")
    if needed == status:
        return None
    if needed:
        return _("The machine is %(status)s, not %(needed)s.") % {"status": _(status), "needed": _(needed)}
    if action == Action.STOP and status == "stopped":
        return _("The machine is %(status)s.") % {"status": _(status)}
    return None


def snapshot_may_be_changed(context: ActionContext, action: str) -> str | None:
    if action not in {Action.SNAPSHOT, Action.DELETE_SNAPSHOT} or context.manages:
        return None
    if context.snapshot in {"", *restore_points.NAMES}:
        return None
    return _("You may save and delete “%(save_point)s”. Ask your teacher about other snapshots.") % {
        "save_point": restore_points.NAME
    }


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
