"""What the portal says of machines and what is done with them, by the codes under which it is stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import Message
from clusters.sentences import say

__all__ = ["lock", "say", "status"]

# How operations end.
stored_messages.register(
    {
        "taken": gettext_noop("The machine was taken from this person before it could be sent."),
        "cancelled-by": gettext_noop("Cancelled by %(name)s while it waited for its turn."),
        "waited-too-long": gettext_noop("It waited too long for its turn, so it was dropped. Try again."),
        "unsent-too-long": gettext_noop("It could not be sent for too long, so it was dropped. Try again."),
        "held-up": gettext_noop("The portal was held up, and sent nothing. Try again."),
        "cut-short": gettext_noop("It took too long and was cut short by a forced stop."),
        "cluster-switched-off": gettext_noop("The cluster was switched off meanwhile."),
        "another-machine": gettext_noop("Another machine has this number now. Ask your teacher."),
        "look-first": gettext_noop("%(why)s Look at the machine before you try again."),
        "goal-shows": gettext_noop("%(why)s The machine's state shows that it was done."),
        "task-unknown": gettext_noop("The cluster does not know the task any more."),
        "task-still-runs": gettext_noop("The task still runs on the cluster."),
        "reception-unknown": gettext_noop("It is not known whether the cluster received this."),
        "done-but": gettext_noop("The cluster took the task as done, but the machine is %(status)s."),
        "done-with-warnings": gettext_noop("It was done, with warnings: the task's log on the cluster tells."),
        "spice-file": gettext_noop("A SPICE file was given out."),
    }
)

# How consoles end.
stored_messages.register(
    {
        "console-control": gettext_noop("Control. %(outcome)s"),
        "console-view": gettext_noop("View only. %(outcome)s"),
        "console-closed-by": gettext_noop("Closed by %(name)s."),
        "console-process-ended": gettext_noop("The portal's process ended."),
        "console-ended": gettext_noop("Ended: %(reason)s."),
        "console-not-opened": gettext_noop("Not opened: %(reason)s."),
    }
)

# How preparations of freed machines fail.
stored_messages.register(
    {
        "machine-not-there": gettext_noop("The cluster does not have this machine any more."),
        "no-baseline": gettext_noop("The machine has no snapshot “%(name)s”."),
        "unshown-points": gettext_noop(
            "It has restore points that were not shown: %(names)s. Look at them, and choose again."
        ),
        "cannot-shut-down": gettext_noop("The machine is %(status)s, so it cannot be shut down."),
        "sleeps": gettext_noop(
            "It sleeps, and would wake with the screen of the last person. Start it, and choose again."
        ),
    }
)

# How reads of a cluster end.
stored_messages.register(
    {
        "read-by-another": gettext_noop(
            "Another worker has read this cluster since; what this one brought was dropped."
        ),
        "cluster-deleted": gettext_noop("The cluster was deleted meanwhile."),
        "entries-rejected": gettext_noop(
            "%(rejected)s entries of the answer were not understood; nothing was taken for missing."
        ),
        "no-node-listed": gettext_noop("The cluster listed none of its nodes; nothing was taken for missing."),
        "nodes-offline": gettext_noop("Only %(online)s of %(all)s nodes are online; nothing was taken for missing."),
        "no-quorum-no-loss": gettext_noop(
            "The cluster has no quorum; nothing was taken for missing. Bring its nodes back."
        ),
        "no-machine-listed": gettext_noop(
            "The cluster listed no machine at all. Has its user or token lost its rights? Nothing was removed. %(hint)s"
        ),
        "machines-lost": gettext_noop(
            "The cluster listed %(missed)s machines fewer than before; nothing was taken for missing. %(hint)s"
        ),
        "believe-hint": gettext_noop(
            "If they are really gone, choose “Accept the last answer” in the administration, at the cluster syncs."
        ),
    }
)

# What alerts are about.
stored_messages.register(
    {
        "alert-credential": gettext_noop("The cluster rejected the portal's credential. %(how)s"),
        "alert-read-token": gettext_noop("The cluster rejected the portal's read-only token. %(how)s"),
        "enter-valid-one": gettext_noop(
            "Enter a valid one in the cluster's settings: until then it is not tried again."
        ),
        "alert-stale": gettext_noop(
            "The cluster answers, but its list of machines could not be taken over for too long. %(why)s"
        ),
        "look-at-worker": gettext_noop("Look whether a worker runs and what it logs."),
        "alert-expiry": gettext_noop(
            "The %(told)s. Make a new one on the cluster and enter it in the cluster's settings before that."
        ),
        "ends-on": gettext_noop("%(name)s ends on %(day)s"),
        "both": gettext_noop("%(one)s and %(other)s"),
        "of-api-token": gettext_noop("API token %(token_id)s"),
        "of-account": gettext_noop("account %(user)s"),
        "of-named-read-only-token": gettext_noop("read-only token %(read_token_id)s"),
    }
)

# Why something is refused.
stored_messages.register(
    {
        "not-yours": gettext_noop(
            "This machine is not assigned to this account, nor looked after by it. Ask your teacher."
        ),
        "cluster-not-granted": gettext_noop(
            "This cluster is only for people who were granted it. Ask your teacher or an administrator."
        ),
        "pool-not-granted": gettext_noop(
            "The class that has this machine may not use its pool any more. An administrator can grant it again."
        ),
        "cluster-inactive": gettext_noop("This cluster is switched off. Ask an administrator."),
        "cluster-silent": gettext_noop(
            "The cluster does not answer at the moment. The portal keeps asking, and the administrators see it too; "
            "the buttons come back by themselves."
        ),
        "machine-gone": gettext_noop("The cluster does not have this machine any more. Ask your teacher."),
        "machine-missing": gettext_noop("The cluster does not list this machine any more. Ask your teacher."),
        "node-silent": gettext_noop(
            "The machine's node does not answer. The buttons come back by themselves when it does."
        ),
        "is-template": gettext_noop("This is a template: it is copied, never started."),
        "under-way": gettext_noop("“%(action)s” is under way. Wait until it is finished."),
        "machine-sleeps": gettext_noop("The machine sleeps. Start it, and it goes on where it was."),
        "machine-locked": gettext_noop("The machine is %(doing)s. This usually takes minutes."),
        "busy-with": gettext_noop("busy (%(lock)s)"),
        "not-of-containers": gettext_noop("Containers cannot do this. Reboot it, or shut it down, instead."),
        "no-consoles": gettext_noop(
            "This portal shows no screens in the browser. Use a remote desktop or SSH instead."
        ),
        "state-unknown": gettext_noop("The state of the machine is unknown. Wait until its node answers again."),
        "wrong-status": gettext_noop("The machine is %(status)s, not %(needed)s."),
        "already-so": gettext_noop("The machine is %(status)s."),
        "only-save-point": gettext_noop(
            "You may save and delete “%(save_point)s”. Ask your teacher about other snapshots."
        ),
        "just-changed": gettext_noop("The machine has just changed. Check it and try again."),
        "no-such-snapshot": gettext_noop("It has no snapshot “%(name)s”."),
        "snapshot-exists": gettext_noop("It has a snapshot “%(name)s” already. Choose another name."),
    }
)

# States of machines, as parts of sentences.
stored_messages.register(
    {
        "status-stopped": gettext_noop("stopped"),
        "status-running": gettext_noop("running"),
        "status-paused": gettext_noop("paused"),
        "status-unknown": gettext_noop("unknown"),
        "not-there": gettext_noop("not there"),
    }
)

# What people ask for, as parts of sentences.
stored_messages.register(
    {
        "action-start": gettext_noop("Start"),
        "action-shutdown": gettext_noop("Shut down"),
        "action-stop": gettext_noop("Force stop"),
        "action-reboot": gettext_noop("Reboot"),
        "action-reset": gettext_noop("Reset"),
        "action-suspend": gettext_noop("Pause"),
        "action-resume": gettext_noop("Resume"),
        "action-snapshot": gettext_noop("Save a snapshot"),
        "action-rollback": gettext_noop("Revert to a snapshot"),
        "action-delete-snapshot": gettext_noop("Delete a snapshot"),
        "action-console": gettext_noop("Console"),
    }
)

# Why consoles end, as parts of sentences.
stored_messages.register(
    {
        "end-another-machine": gettext_noop("another machine has this number now"),
        "end-closed-by-person": gettext_noop("closed by the person"),
        "end-no-greeting": gettext_noop("no greeting in time"),
        "end-not-logged-in": gettext_noop("nobody is logged in"),
        "end-browser-gone": gettext_noop("the browser is gone"),
        "end-display-not-opened": gettext_noop("the cluster did not open the display"),
        "end-cluster-off": gettext_noop("the cluster is switched off"),
        "end-cluster-switched-off": gettext_noop("the cluster was switched off"),
        "end-display-ended": gettext_noop("the display ended"),
        "end-machine-off": gettext_noop("the machine does not run"),
        "end-machine-gone": gettext_noop("the machine is gone"),
        "end-machine-switched-off": gettext_noop("the machine was switched off"),
        "end-portal-interrupted": gettext_noop("the portal was interrupted"),
        "end-portal-stopped": gettext_noop("the portal was stopped"),
        "end-right-withdrawn": gettext_noop("the right to this machine was withdrawn"),
    }
)

# What a lock means, to be said after “the machine is”.
LOCKS = {
    "backup": gettext_noop("being backed up"),
    "snapshot": gettext_noop("being saved as a snapshot"),
    "snapshot-delete": gettext_noop("being cleared of a snapshot"),
    "rollback": gettext_noop("being reverted"),
    "clone": gettext_noop("being copied"),
    "migrate": gettext_noop("being moved to another node"),
    "create": gettext_noop("being created"),
    "suspending": gettext_noop("being suspended"),
    "disk": gettext_noop("getting another disk"),
    "fstrim": gettext_noop("being cleared of unused space"),
    "mounted": gettext_noop("open on its node for repairs"),
    "destroyed": gettext_noop("being deleted"),
}
stored_messages.register({f"lock-{name}": text for name, text in LOCKS.items()})


def lock(name: str) -> Message:
    """What it means, or that it means something that the portal does not know."""
    return say(f"lock-{name}") if name in LOCKS else say("busy-with", lock=name)


def status(word: str) -> str:
    """A machine's state; unchanged what is none of those that the portal knows."""
    code = f"status-{word}"
    return say(code) if code in stored_messages.codes() else word
