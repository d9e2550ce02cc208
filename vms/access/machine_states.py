"""The states of machines. The lists of Proxmox VE carry QEMU's own states beside running and stopped."""

from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop


class MachineState(NamedTuple):
    """`label` is on cards, `tone` for the style sheet. With a process, a machine has a screen.

    `resumes`: *Resume* lets it go on. `resets`: only *Reset* does, which loses what is in memory.
    """

    label: str
    tone: str
    has_process: bool = True
    resumes: bool = False
    resets: bool = False


_PAUSED = MachineState(gettext_noop("Paused"), "paused", resumes=True)
_CRASHED = MachineState(gettext_noop("Crashed"), "failed", resets=True)
_MOVING = MachineState(gettext_noop("Being moved to another node"), "paused")

STATES = {
    "running": MachineState(gettext_noop("Running"), "running"),
    "stopped": MachineState(gettext_noop("Stopped"), "stopped", has_process=False),
    "unknown": MachineState(gettext_noop("Unknown"), "unknown", has_process=False),
    "paused": _PAUSED,
    "prelaunch": _PAUSED,
    "postmigrate": _PAUSED,
    "debug": _PAUSED,
    "suspended": MachineState(gettext_noop("Asleep"), "paused", resumes=True),
    "io-error": MachineState(gettext_noop("Stopped by a disk error"), "failed", resumes=True),
    "watchdog": MachineState(gettext_noop("Stopped by its watchdog"), "failed", resumes=True, resets=True),
    "guest-panicked": _CRASHED,
    "internal-error": _CRASHED,
    "shutdown": MachineState(gettext_noop("Turned off, not ended yet"), "paused", resumes=True),
    "inmigrate": _MOVING,
    "finish-migrate": _MOVING,
    "colo": _MOVING,
    "save-vm": MachineState(gettext_noop("Being saved"), "paused"),
    "restore-vm": MachineState(gettext_noop("Being restored"), "paused"),
}

# Of QEMU's states that are not known here.
_OTHER = MachineState(gettext_noop("Unknown"), "unknown")


def state(status: str) -> MachineState:
    return STATES.get(status, _OTHER)


def label(status: str, *, lock: str = "") -> str:
    """In the reader's language. A backup of a machine that is off starts a process for it, which runs nothing."""
    is_off = status == "prelaunch" and bool(lock)
    shown = STATES["stopped"] if is_off else state(status)
    return _(shown.label)
