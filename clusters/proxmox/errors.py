"""Errors between the portal and a cluster, in the words of the people who read them."""

import re
from collections.abc import Mapping
from typing import TypeVar

from accounts.stored_messages import english
from clusters.sentences import say

_PRIVILEGE = re.compile(r"\((/[^,()]*), ([^()]+)\)")
_Failure = TypeVar("_Failure", bound="ProxmoxError")


class ProxmoxError(Exception):
    """A call that failed.

    `plain` tells a person what happened and what to do next; it has no secret, but may quote the cluster, so it is
    escaped like any foreign text. `sent` is whether the cluster may have carried the request out nevertheless.
    `status` and `reason` are the cluster's answer, when there was one.
    """

    def __init__(self, plain: str, *, sent: bool = False, status: int | None = None, reason: str = "") -> None:
        super().__init__(plain)
        self.plain, self.sent, self.status, self.reason = plain, sent, status, reason

    def __str__(self) -> str:
        """For logs, in English."""
        return english(self.plain)


def without_traceback(failure: _Failure) -> _Failure:
    """Without the frames it came through, which hold headers and forms: error pages show what frames hold."""
    failure.__context__ = failure.__cause__ = None
    return failure.with_traceback(None)


# The portal's own settings


class NoCredential(ProxmoxError):
    """The configuration has neither token nor password."""

    def __init__(self, plain: str = "") -> None:
        super().__init__(plain or say("no-credential"))


class MakingIsOff(NoCredential):
    """Machines are not made on this cluster: it has no token for that, or its switch is off."""

    def __init__(self) -> None:
        super().__init__(say("making-is-off"))


class CredentialUnreadable(ProxmoxError):
    """The stored credential cannot be decrypted, or is none that could be sent."""


# The way to the cluster


class Unreachable(ProxmoxError):
    """No answer: there was no connection, or it broke off."""


class NameNotFound(Unreachable):
    def __init__(self) -> None:
        super().__init__(say("host-unknown"))


class HostNotAllowed(Unreachable):
    """The host is at an address that the portal must not connect to. No connection was opened."""

    def __init__(self) -> None:
        super().__init__(say("host-not-allowed"))


class ConnectionRefused(Unreachable):
    def __init__(self) -> None:
        super().__init__(say("connection-refused"))


class TimedOut(Unreachable):
    def __init__(self, *, sent: bool) -> None:
        super().__init__(
            say("timed-out"),
            sent=sent,
        )


class Dropped(Unreachable):
    """The connection ended after the request was written. `reused`: it had served an earlier request."""

    def __init__(self, *, reused: bool = False) -> None:
        super().__init__(
            say("dropped"),
            sent=True,
        )
        self.reused = reused


class CertificateRejected(ProxmoxError):
    """The certificate is not the one that was agreed on. Nothing was sent, no credential either.

    `presented` is the SHA-256 fingerprint of what was shown instead, when it is known.
    """

    def __init__(self, why: str, *, presented: str = "") -> None:
        super().__init__(say("certificate-rejected", why=why))
        self.reason, self.presented = why, presented


# What the cluster answers


class LoginRejected(ProxmoxError):
    """401."""


class PermissionMissing(ProxmoxError):
    """403. `path` and `privilege` say what is missing, when the cluster said so."""

    def __init__(self, *, status: int = 403, reason: str = "") -> None:
        named = _PRIVILEGE.search(reason)
        self.path, self.privilege = (named[1], named[2]) if named else ("", "")
        missing = (
            say("lacks-privilege", privilege=self.privilege, path=self.path)
            if named
            else say("is-not-allowed", quoted=quoted(reason))
        )
        super().__init__(
            say("permission-missing", missing=missing),
            status=status,
            reason=reason,
        )


class BadParameter(ProxmoxError):
    """400, or an argument that was not even sent. `errors` has a text for each parameter."""

    def __init__(self, errors: Mapping[str, str], *, status: int | None = None, reason: str = "") -> None:
        details = "; ".join(f"{name}: {text}" for name, text in errors.items())
        super().__init__(
            say("bad-parameter", quoted=quoted(details or reason)),
            status=status,
            reason=reason,
        )
        self.errors = dict(errors)


class NotFound(ProxmoxError):
    """The guest, node, pool or task is not there."""

    def __init__(self, plain: str = "", *, status: int | None = None, reason: str = "") -> None:
        known = say("not-found")
        super().__init__(plain or known, status=status, reason=reason)


class GuestGone(NotFound):
    """The guest is not, or no longer, on this node: deleted, or moved to another one."""

    def __init__(self, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            say("guest-gone"),
            status=status,
            reason=reason,
        )


class Refused(ProxmoxError):
    """500 or 501: the cluster understood and declined; `reason` is its message."""


class NoQuorum(Refused):
    """Too few nodes see each other to change anything. Reading still works."""

    def __init__(self, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            say("no-quorum", quoted=quoted(reason)),
            status=status,
            reason=reason,
        )


class Locked(Refused):
    """Something else is under way with this guest. `lock` names it when the cluster did: backup, clone, …"""

    def __init__(self, lock: str = "", *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            say("locked", quoted=quoted(reason)),
            status=status,
            reason=reason,
        )
        self.lock = lock


class StorageBusy(Locked):
    """A lock was held by somebody else for too long: of a storage, of a configuration. Nothing was begun or left."""


class IdTaken(Refused):
    """Another guest, or a disk that one left behind, has the VMID."""


class StillRunning(Refused):
    """A guest is destroyed only when it is stopped."""


class Protected(Refused):
    """The guest's protection is on: it is neither destroyed nor are its disks removed."""


class ChecksumMismatch(Refused):
    """Somebody changed the configuration since it was read."""


class NodeDown(ProxmoxError):
    """595 to 599: the cluster answers, but the node that should act does not. `node` is empty for the entry itself."""

    def __init__(self, node: str, *, status: int, reason: str) -> None:
        who = say("of-node", node=node) if node else say("of-service")
        super().__init__(
            say("unreachable-part", who=who, quoted=quoted(reason)),
            # 595 is a connection that never came about; the others leave open how far the request got.
            sent=status != 595,
            status=status,
            reason=reason,
        )
        self.node = node


class ProtocolError(ProxmoxError):
    """The response is not one of the Proxmox VE API."""

    def __init__(self, what: str, *, sent: bool = True, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            say("not-proxmox", what=what),
            sent=sent,
            status=status,
            reason=reason,
        )


# What became of a change


class OutcomeUnknown(ProxmoxError):
    """A change was sent, and nobody knows whether it was carried out. `why` is what hid the answer."""

    def __init__(self, why: ProxmoxError) -> None:
        super().__init__(
            say("perhaps-carried-out", why=why.plain),
            sent=True,
            status=why.status,
            reason=why.reason,
        )
        self.why = why


class TaskFailed(ProxmoxError):
    """A task that was begun and ended badly; `reason` is its error. `locked`: something else was under way."""

    def __init__(self, exit_status: str, *, locked: bool = False) -> None:
        super().__init__(
            say("task-failed", quoted=quoted(exit_status)),
            reason=exit_status,
        )
        self.locked = locked


def quoted(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""
