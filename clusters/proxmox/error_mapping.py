"""Error mapping: which exception a response of 400 and above becomes.

Proxmox VE has no 404, and one status for most errors, so the text decides.
"""

import re
from collections.abc import Mapping

from clusters.proxmox import errors
from clusters.sentences import say

_GUEST_GONE = re.compile(
    r"Configuration file '.*' does not exist|\b(VM|CT) \d+ does not exist|unable to find configuration file for VM \d+"
)
_ABSENT = re.compile(r"hostname lookup '.*' failed|no such (cluster )?node|no such task|pool '.*' does not exist")
_NO_QUORUM = re.compile(r"no quorum|unable to open file '/etc/pve/.*Permission denied")
_LOCK_TIMEOUT = re.compile(r"can't lock file '.*' - got timeout")
_ID_TAKEN = re.compile(
    r"unable to create (VM|CT) \d+: config file already exists|\b(VM|CT) \d+ already exists"
    r"|atomic file '.*\.conf' failed: File exists|disk image '.*' already exists"
)
_STILL_RUNNING = re.compile(r"\b(VM|CT) \d+ is running - destroy failed|container is running")
_PROTECTED = re.compile(r"protection mode enabled")
_CHECKSUM = re.compile(r"checksum mismatch")
_LOCKED = re.compile(r"\b(?:VM|CT) is locked(?: \((?P<lock>[a-z-]{1,20})\))?|can't lock file '.*' - got timeout")


def from_status(
    status: int, *, reason: str, errors_by_name: Mapping[str, str], node: str = "", credential: str = "credential"
) -> errors.ProxmoxError:
    if status == 401:
        return errors.LoginRejected(
            say("credential-rejected", credential=credential, quoted=errors.quoted(reason)),
            status=status,
            reason=reason,
        )
    if status == 403:
        return errors.PermissionMissing(status=status, reason=reason)
    if status in (400, 500, 501):
        return _declined(status, reason, errors_by_name)
    if 595 <= status <= 599:
        return errors.NodeDown(node, status=status, reason=reason)
    return errors.ProtocolError(f"HTTP status {status} {reason}".strip(), status=status, reason=reason)


def _declined(status: int, reason: str, errors_by_name: Mapping[str, str]) -> errors.ProxmoxError:
    said = " ".join((reason, *errors_by_name.values()))
    if _GUEST_GONE.search(said):
        return errors.GuestGone(status=status, reason=reason)
    if _ABSENT.search(said):
        return errors.NotFound(status=status, reason=reason)
    if status == 400:
        return errors.BadParameter(errors_by_name, status=status, reason=reason)
    if _NO_QUORUM.search(said):
        return errors.NoQuorum(status=status, reason=reason)
    return _known_refusal(said, status=status, reason=reason) or errors.Refused(
        say("refused", quoted=errors.quoted(reason)), status=status, reason=reason
    )


def _known_refusal(said: str, *, status: int | None, reason: str) -> errors.Refused | None:
    if _LOCK_TIMEOUT.search(said):
        return errors.StorageBusy(status=status, reason=reason)
    if locked := _LOCKED.search(said):
        return errors.Locked(locked["lock"] or "", status=status, reason=reason)
    for pattern, kind, code in _REFUSALS:
        if pattern.search(said):
            return kind(say(code, quoted=errors.quoted(reason)), status=status, reason=reason)
    return None


_REFUSALS = (
    (_ID_TAKEN, errors.IdTaken, "id-taken"),
    (_STILL_RUNNING, errors.StillRunning, "still-running"),
    (_PROTECTED, errors.Protected, "protected"),
    (_CHECKSUM, errors.ChecksumMismatch, "checksum-mismatch"),
)


def from_task(exit_status: str) -> errors.ProxmoxError:
    """What a task that failed says in its exit status: one of the refusals, or `TaskFailed`."""
    if _NO_QUORUM.search(exit_status):
        return errors.NoQuorum(reason=exit_status)
    known = _known_refusal(exit_status, status=None, reason=exit_status)
    return known or errors.TaskFailed(exit_status, locked=is_about_a_lock(exit_status))


def is_about_a_lock(exit_status: str) -> bool:
    return _LOCKED.search(exit_status) is not None
