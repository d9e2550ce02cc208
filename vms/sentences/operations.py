"""Messages about operations: what people ask for, how they end, and why a cluster did not do it."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

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

# How operations end.
stored_messages.register(
    {
        "taken": gettext_noop("The machine was unassigned before the operation was sent."),
        "cancelled-by": gettext_noop("Cancelled by %(name)s while waiting."),
        "waited-too-long": gettext_noop("Cancelled: it waited too long for its turn. Try again."),
        "unsent-too-long": gettext_noop("Cancelled: the portal could not send it in time. Try again."),
        "stop-not-due": gettext_noop("Cancelled: the notice of the stop did not hold until it could be sent."),
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
