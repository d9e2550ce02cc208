"""Messages that say why something is refused."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

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
