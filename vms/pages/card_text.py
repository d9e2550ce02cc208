"""The words on a machine's card: its status, its lock, and what went wrong."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from vms import sentences
from vms.access import machine_rules, machine_states, restore_points
from vms.models import Operation, VirtualMachine
from vms.pages import outcomes

Action = Operation.Action

# A card shows for so long that an operation failed.
FAILURE_SHOWN_FOR = timedelta(minutes=30)

# High availability usually acts within ten seconds.
HA_WAITS = timedelta(minutes=1)

# A request that is not sent after this long is shown as waiting.
QUEUED = timedelta(seconds=3)


def status_text(machine: VirtualMachine, busy: Operation | None, ahead: int) -> str:
    """The status in words, or what is in progress. `ahead`: how many operations the node does first."""
    if busy and busy.state == Operation.State.REQUESTED and timezone.now() - busy.requested_at > QUEUED:
        if not ahead:
            return _("Waiting for its turn")
        return _("Waiting: %(n)d ahead of it on %(node)s") % {"n": ahead, "node": machine.node}
    if busy and busy.is_handed_over and busy.sent_at and timezone.now() - busy.sent_at > HA_WAITS:
        return _("Waiting for high availability")
    if busy:
        return {
            Action.START: _("Starting"),
            Action.SHUTDOWN: _("Shutting down"),
            Action.STOP: _("Stopping"),
            Action.REBOOT: _("Rebooting"),
            Action.RESET: _("Resetting"),
            Action.SUSPEND: _("Pausing"),
            Action.RESUME: _("Resuming"),
            Action.SNAPSHOT: _("Saving a snapshot"),
            Action.ROLLBACK: _("Reverting to a snapshot"),
            Action.DELETE_SNAPSHOT: _("Deleting a snapshot"),
            Action.CLONE: _("Being made"),
            Action.DESTROY: _("Being removed"),
        }[Action(busy.action)]
    if machine.missing_since or machine.gone_at:
        return _("Not found on the cluster")
    return machine_states.label(machine.status, lock=machine.lock)


def lock_text(machine: VirtualMachine) -> str:
    """The cluster's own work on a locked machine, in words. Empty: it is not locked."""
    if machine.lock == machine_rules.SUSPENDED_TO_DISK:
        return _("Asleep")
    doing = sentences.lock(machine.lock) if machine.lock in sentences.LOCKS else machine.lock
    return _("Busy: %(doing)s") % {"doing": doing} if doing else ""


def trouble_text(last: Operation | None, now: datetime) -> str:
    """The last operation failed a short time ago, and nobody dismissed it. Empty: it did not."""
    if not last or not last.finished_at or last.finished_at < now - FAILURE_SHOWN_FOR or last.dismissed_at:
        return ""
    label = last.get_action_display()
    if last.state == Operation.State.FAILED:
        said = _("“%(action)s” failed. %(advice)s") % {"action": label, "advice": outcomes.advice(last)}
    elif last.state in {Operation.State.UNKNOWN, Operation.State.CANCELLED}:
        said = _("“%(action)s”: %(outcome)s") % {"action": label, "outcome": last.rendered_outcome}
    else:
        return ""
    return " ".join(filter(None, [said, _restore_point_text(last)]))


def _restore_point_text(last: Operation) -> str:
    """The restore point that remains after a failed attempt to save one, in words."""
    if last.action != Action.SNAPSHOT or last.snapshot not in restore_points.NAMES:
        return ""
    if last.then:
        return _("Your old restore point was kept.")
    return "" if last.state == Operation.State.UNKNOWN else _("You have no restore point now.")


def clock(span: timedelta) -> str:
    """`02:05` for two minutes and five seconds."""
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // 60:02}:{seconds % 60:02}"
