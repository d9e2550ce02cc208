"""Messages about machines and operations, by the codes under which they are stored."""

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import Message
from clusters.sentences import say

__all__ = ["lock", "say", "status"]

# How operations end.
stored_messages.register(
    {
        "taken": gettext_noop("The machine was unassigned before the operation was sent."),
        "cancelled-by": gettext_noop("Cancelled by %(name)s while waiting."),
        "waited-too-long": gettext_noop("Cancelled: it waited too long for its turn. Try again."),
        "unsent-too-long": gettext_noop("Cancelled: the portal could not send it in time. Try again."),
        "held-up": gettext_noop("The portal was delayed and sent nothing. Try again."),
        "ha-in-hand": gettext_noop("High availability has the request and carries it out when it can."),
        "ha-let-go": gettext_noop("High availability did not carry it out before the machine was stopped."),
        "cut-short": gettext_noop("A force stop replaced it."),
        "cluster-switched-off": gettext_noop("The cluster was deactivated in the meantime."),
        "another-machine": gettext_noop("This VMID now belongs to another machine. Ask your teacher."),
        "look-first": gettext_noop("%(why)s Check the machine before you try again."),
        "goal-shows": gettext_noop("%(why)s The machine's state shows that it was done."),
        "task-unknown": gettext_noop("The cluster no longer knows the task."),
        "task-still-runs": gettext_noop("The task is still running on the cluster."),
        "reception-unknown": gettext_noop("It is unknown whether the cluster received the request."),
        "done-but": gettext_noop("The cluster reports the task as done, but the machine is %(status)s."),
        "done-with-warnings": gettext_noop("Done with warnings. See the task's log on the cluster."),
        "explained": gettext_noop("%(why)s The cluster said%(quoted)s."),
        "spice-file": gettext_noop("SPICE file downloaded."),
    }
)

# Why a cluster did not do it, for everyone.
stored_messages.register(
    {
        "newer-snapshots": gettext_noop(
            "There are newer snapshots, and this machine's storage can only revert to the newest one."
        ),
        "no-snapshots-possible": gettext_noop("Snapshots of this machine's disks are not possible."),
        "snapshot-incomplete": gettext_noop("This snapshot is incomplete. Ask an administrator to delete it."),
        "snapshot-gone": gettext_noop("The machine no longer has this snapshot."),
        "snapshot-name-taken": gettext_noop("The machine already has a snapshot of this name."),
        "disk-missing": gettext_noop("A disk of the machine is missing. Ask your teacher."),
        "storage-full": gettext_noop("The storage is full. Ask your teacher."),
        "copy-failed": gettext_noop("Copying the disk failed. Its storage may be full."),
        "node-memory-full": gettext_noop("The node has too little free memory at the moment. Try again later."),
        "did-not-shut-down": gettext_noop(
            "The machine did not shut down in time. Look at its screen, or choose Force stop."
        ),
        "ha-error": gettext_noop(
            "High availability has given up on this machine. Ask an administrator to clear its error state."
        ),
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
        "machine-not-there": gettext_noop("The machine no longer exists on the cluster."),
        "no-baseline": gettext_noop("The machine has no snapshot “%(name)s”."),
        "unshown-points": gettext_noop(
            "The machine has restore points that the page did not list: %(names)s. Check them and choose again."
        ),
        "cannot-shut-down": gettext_noop("The machine is %(status)s and can't be shut down."),
        "sleeps": gettext_noop(
            "The machine is asleep and would wake up with the previous person's screen. Start it and choose again."
        ),
    }
)

# How the making of machines goes and ends.
stored_messages.register(
    {
        "made-held": gettext_noop("Something else held a lock on the cluster for too long. The portal tries again."),
        "made-template-gone": gettext_noop(
            "The template (VMID %(vmid)s) is no longer on node %(node)s. Ask an administrator."
        ),
        "made-no-free-id": gettext_noop("No VMID of the template's range is free. Ask an administrator."),
        "made-stuck": gettext_noop(
            "The clone was interrupted on the cluster and is locked. Ask an administrator to run “qm unlock %(vmid)s” "
            "on node %(node)s as root, and then to destroy the machine with its unreferenced disks."
        ),
        "made-node-away": gettext_noop(
            "Node %(node)s did not respond for too long. Retry when it is back: the portal first looks what is there."
        ),
        "made-not-ours": gettext_noop("VMID %(vmid)s belongs to another machine now. Nothing was changed there."),
        "made-not-there": gettext_noop("The machine (VMID %(vmid)s) is no longer on the cluster."),
        "made-no-agent": gettext_noop("Its template has no guest agent, so the portal can't read an IP address."),
        "made-no-address": gettext_noop("No IP address within 5 minutes. Check network and guest agent."),
        "made-no-baseline": gettext_noop("No baseline: this storage can't save snapshots."),
        "made-old-runs": gettext_noop("The earlier machine can't be stopped."),
        "automation-held": gettext_noop(
            "The portal waits for an administrator, who has to confirm that it may act. Try again later."
        ),
        "automation-dropped": gettext_noop("Cancelled by %(name)s when the portal was confirmed."),
        "remove-unseen": gettext_noop(
            "Something has VMID %(vmid)s, but the portal may not read it. Nothing was changed there. Ask an "
            "administrator to look at it on the cluster."
        ),
        "remove-anothers": gettext_noop(
            "The machine was already gone. VMID %(vmid)s belongs to another machine now, which was not changed."
        ),
        "remove-not-ours": gettext_noop(
            "VMID %(vmid)s does not have both the mark and the SMBIOS UUID of the machine that was made here. Nothing "
            "was changed there. Ask an administrator to look at it on the cluster."
        ),
        "remove-template": gettext_noop(
            "VMID %(vmid)s is a template now. Nothing was changed there. Ask an administrator to remove it."
        ),
        "remove-protected": gettext_noop(
            "VMID %(vmid)s is protected on the cluster. Switch its protection off there, then remove it again."
        ),
        "remove-runs": gettext_noop("Somebody started the machine at the same moment. The portal tries again."),
        "remove-was-gone": gettext_noop("It was no longer on the cluster."),
        "made-cancelled-by": gettext_noop("Cancelled by %(name)s before it was begun."),
        "made-withdrawn-over": gettext_noop("Withdrawn before it was begun: the class has ended."),
        "made-withdrawn-grant": gettext_noop(
            "Withdrawn before it was begun: the template, or the grant for its pool, is no longer available."
        ),
    }
)

# How reads of a cluster end.
stored_messages.register(
    {
        "read-by-another": gettext_noop(
            "Another worker has synced this cluster in the meantime. This result was discarded."
        ),
        "cluster-deleted": gettext_noop("The cluster was deleted in the meantime."),
        "entries-rejected": gettext_noop(
            "%(rejected)s entries of the response could not be read. No machine was marked as missing."
        ),
        "machines-rejected": gettext_noop(
            "%(rejected)s entries of the response could not be read (VMID %(vmids)s). No machine was marked as missing."
        ),
        "odd-figures": gettext_noop(
            "The cluster reports impossible figures for VMID %(vmids)s. They count as 0; the machines work as usual."
        ),
        "no-node-listed": gettext_noop("The cluster listed none of its nodes. No machine was marked as missing."),
        "nodes-offline": gettext_noop("Only %(online)s of %(all)s nodes are online. No machine was marked as missing."),
        "nodes-offline-quorum-unknown": gettext_noop(
            "Only %(online)s of %(all)s nodes are online, and the portal can't read whether the cluster has quorum "
            "(this needs Sys.Audit on /). No machine was marked as missing. %(hint)s"
        ),
        "no-quorum-no-loss": gettext_noop(
            "The cluster has no quorum. No machine was marked as missing. Bring its nodes back online."
        ),
        "no-machine-listed": gettext_noop(
            "The cluster listed no machines at all. Nothing was removed. Check whether its user or token has lost "
            "permissions. %(hint)s"
        ),
        "machines-lost": gettext_noop(
            "The cluster listed %(missed)s machines fewer than before. No machine was marked as missing. %(hint)s"
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
            "Enter a valid one in the cluster's settings. The portal doesn't try again until then."
        ),
        "alert-stale": gettext_noop(
            "The cluster responds, but its list of machines has not been synced for too long. %(why)s"
        ),
        "look-at-worker": gettext_noop("Check that a worker is running, and check its log."),
        "alert-expiry": gettext_noop(
            "The %(told)s. Before that, create a new one on the cluster and enter it in the cluster's settings."
        ),
        "ends-on": gettext_noop("%(name)s expires on %(day)s"),
        "both": gettext_noop("%(one)s and %(other)s"),
        "of-api-token": gettext_noop("API token %(token_id)s"),
        "of-account": gettext_noop("account %(user)s"),
        "of-named-read-only-token": gettext_noop("read-only token %(read_token_id)s"),
    }
)

# Why something is refused.
stored_messages.register(
    {
        "not-yours": gettext_noop("You don't have access to this machine. Ask your teacher."),
        "view-only": gettext_noop("You can look at this machine, but your permissions don't include operating it."),
        "cluster-not-granted": gettext_noop(
            "This cluster is only for people with a grant. Ask your teacher or an administrator."
        ),
        "pool-not-granted": gettext_noop(
            "The class no longer has a grant for this machine's pool. Ask an administrator for a new grant."
        ),
        "quota-running": gettext_noop(
            "%(limit)s machines of %(of)s are running, and the quota allows no more. Shut one down first."
        ),
        "cluster-inactive": gettext_noop("This cluster is deactivated. Ask an administrator."),
        "cluster-silent": gettext_noop(
            "The cluster is not responding at the moment. The portal keeps trying, and the administrators see the "
            "problem too. The buttons return when the cluster responds."
        ),
        "cluster-rejects-credential": gettext_noop(
            "The cluster rejects the portal's credential. The administrators see the problem too. The buttons return "
            "when they have entered a valid one."
        ),
        "cluster-untrusted": gettext_noop(
            "The cluster's certificate is not trusted, so the portal sends nothing to it. An administrator has to "
            "check it. The buttons return after that."
        ),
        "machine-gone": gettext_noop("This machine no longer exists on the cluster. Ask your teacher."),
        "machine-missing": gettext_noop("The cluster no longer lists this machine. Ask your teacher."),
        "node-silent": gettext_noop("The machine's node is not responding. The buttons return when it responds."),
        "is-template": gettext_noop("This is a template. Templates are only copied, never started."),
        "under-way": gettext_noop("“%(action)s” is in progress. Wait until it has finished."),
        "machine-sleeps": gettext_noop("The machine is asleep. Start it to continue where it stopped."),
        "machine-locked": gettext_noop("The machine is %(doing)s. This usually takes a few minutes."),
        "busy-with": gettext_noop("busy (%(lock)s)"),
        "not-of-containers": gettext_noop("Containers don't support this. Reboot or shut down the container instead."),
        "no-consoles": gettext_noop("This portal has no consoles in the browser. Use remote desktop or SSH instead."),
        "state-unknown": gettext_noop("The state of the machine is unknown. Wait until its node responds again."),
        "wrong-status": gettext_noop("The machine is %(status)s, not %(needed)s."),
        "already-so": gettext_noop("The machine is %(status)s."),
        "only-save-point": gettext_noop(
            "You can save and delete only your restore point “%(save_point)s”. Ask your teacher about other snapshots."
        ),
        "hours-used-up": gettext_noop(
            "Your hours of own use in this class are used up. The machine starts in lessons. Ask your teacher for more."
        ),
        "just-changed": gettext_noop("The machine has just changed. Check it and try again."),
        "no-such-snapshot": gettext_noop("The machine has no snapshot “%(name)s”."),
        "snapshot-exists": gettext_noop("The machine already has a snapshot “%(name)s”. Choose another name."),
    }
)

# States of machines, as parts of sentences.
stored_messages.register(
    {
        "status-stopped": gettext_noop("stopped"),
        "status-running": gettext_noop("running"),
        "status-paused": gettext_noop("paused"),
        "status-unknown": gettext_noop("unknown"),
        "status-suspended": gettext_noop("asleep"),
        "status-io-error": gettext_noop("stopped by a disk error"),
        "status-watchdog": gettext_noop("stopped by its watchdog"),
        "status-guest-panicked": gettext_noop("crashed"),
        "status-internal-error": gettext_noop("crashed"),
        "status-shutdown": gettext_noop("turned off, but its process has not ended"),
        "status-moving": gettext_noop("being moved to another node"),
        "status-save-vm": gettext_noop("being saved"),
        "status-restore-vm": gettext_noop("being restored"),
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
        "action-clone": gettext_noop("Make"),
        "action-destroy": gettext_noop("Remove"),
    }
)

# Why consoles end, as parts of sentences.
stored_messages.register(
    {
        "end-another-machine": gettext_noop("this VMID now belongs to another machine"),
        "end-closed-by-person": gettext_noop("closed by the user"),
        "end-no-greeting": gettext_noop("the browser did not respond in time"),
        "end-not-logged-in": gettext_noop("not logged in"),
        "end-browser-gone": gettext_noop("the browser disconnected"),
        "end-display-not-opened": gettext_noop("the cluster did not open the display"),
        "end-cluster-off": gettext_noop("the cluster is deactivated"),
        "end-cluster-switched-off": gettext_noop("the cluster was deactivated"),
        "end-display-ended": gettext_noop("the display ended"),
        "end-machine-off": gettext_noop("the machine is not running"),
        "end-machine-gone": gettext_noop("the machine is gone"),
        "end-machine-switched-off": gettext_noop("the machine was turned off"),
        "end-portal-interrupted": gettext_noop("the portal was interrupted"),
        "end-portal-stopped": gettext_noop("the portal was stopped"),
        "end-right-withdrawn": gettext_noop("access to this machine was removed"),
    }
)

# What a lock means, to be said after “the machine is”.
LOCKS = {
    "backup": gettext_noop("being backed up"),
    "snapshot": gettext_noop("saving a snapshot"),
    "snapshot-delete": gettext_noop("deleting a snapshot"),
    "rollback": gettext_noop("being reverted"),
    "clone": gettext_noop("being copied"),
    "migrate": gettext_noop("being moved to another node"),
    "create": gettext_noop("being created"),
    "suspending": gettext_noop("being suspended"),
    "disk": gettext_noop("having its disks changed"),
    "fstrim": gettext_noop("freeing unused space"),
    "mounted": gettext_noop("mounted on its node for repairs"),
    "destroyed": gettext_noop("being deleted"),
}
stored_messages.register({f"lock-{name}": text for name, text in LOCKS.items()})


def lock(name: str) -> Message:
    """The meaning of a lock, or that the portal does not know it."""
    return say(f"lock-{name}") if name in LOCKS else say("busy-with", lock=name)


def status(word: str) -> Message:
    """A machine's state, as a part of a sentence."""
    code = f"status-{_SAME_WORDS.get(word, word)}"
    return say(code if code in stored_messages.codes() else "status-unknown")


# States of QEMU that are the same to people.
_SAME_WORDS = {
    "prelaunch": "paused", "postmigrate": "paused", "debug": "paused",
    "inmigrate": "moving", "finish-migrate": "moving", "colo": "moving",
}  # fmt: skip
