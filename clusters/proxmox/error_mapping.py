"""Error mapping: which exception a response of 400 and above becomes.

Proxmox VE has no 404, and one status for most errors, so the text decides.
"""

import re
from collections.abc import Mapping

from clusters.proxmox import errors
from clusters.sentences import say

_GUEST_GONE = re.compile(r"Configuration file '.*' does not exist|\b(VM|CT) \d+ does not exist")
_ABSENT = re.compile(r"hostname lookup '.*' failed|no such (cluster )?node|no such task|pool '.*' does not exist")
_NO_QUORUM = re.compile(r"no quorum|unable to open file '/etc/pve/.*Permission denied")
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
    if locked := _LOCKED.search(said):
        return errors.Locked(locked["lock"] or "", status=status, reason=reason)
    return errors.Refused(say("refused", quoted=errors.quoted(reason)), status=status, reason=reason)


def is_about_a_lock(exit_status: str) -> bool:
    return _LOCKED.search(exit_status) is not None
