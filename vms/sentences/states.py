"""Messages about the states of machines, and what their locks mean."""

from django.utils.translation import gettext_noop

from accounts import stored_messages
from accounts.stored_messages import Message
from clusters.sentences import say

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
