"""Messages about the preparation of freed machines."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

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
