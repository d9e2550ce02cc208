"""What can go wrong between the portal and a cluster, in the words of the people who read it."""

import re
from collections.abc import Mapping
from typing import TypeVar

from django.utils.translation import gettext_noop

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
        return self.plain


def without_traceback(failure: _Failure) -> _Failure:
    """Without the frames it came through, which hold headers and forms: error pages show what frames hold."""
    failure.__context__ = failure.__cause__ = None
    return failure.with_traceback(None)


# The portal's own settings


class NoCredential(ProxmoxError):
    """The configuration has neither token nor password."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop("This cluster has no credential. Enter an API token, or a password, in its settings.")
        )


class CredentialUnreadable(ProxmoxError):
    """The stored credential cannot be decrypted, or is none that could be sent."""


# The way to the cluster


class Unreachable(ProxmoxError):
    """No answer: there was no connection, or it broke off."""


class NameNotFound(Unreachable):
    def __init__(self) -> None:
        super().__init__(
            gettext_noop("The cluster's host name is not known. Check the host in the cluster's settings.")
        )


class HostNotAllowed(Unreachable):
    """The host is at an address that the portal must not connect to. No connection was opened."""

    def __init__(self) -> None:
        super().__init__(
            gettext_noop(
                "The portal may not connect to this host. Check the host in the cluster's settings; "
                "which networks are allowed is set by CLUSTER_ALLOWED_NETWORKS."
            )
        )


class ConnectionRefused(Unreachable):
    def __init__(self) -> None:
        super().__init__(
            gettext_noop(
                "The cluster refuses connections on its port. Check host and port, and whether pveproxy runs there."
            )
        )


class TimedOut(Unreachable):
    def __init__(self, *, sent: bool) -> None:
        super().__init__(
            gettext_noop("The cluster did not answer in time. If this goes on, check its load and the network."),
            sent=sent,
        )


class Dropped(Unreachable):
    """The connection ended after the request was written. `reused`: it had served an earlier request."""

    def __init__(self, *, reused: bool = False) -> None:
        super().__init__(
            gettext_noop(
                "The cluster closed the connection instead of answering. If this goes on, check pveproxy there."
            ),
            sent=True,
        )
        self.reused = reused


class CertificateRejected(ProxmoxError):
    """The certificate is not the one that was agreed on. Nothing was sent, no credential either.

    `presented` is the SHA-256 fingerprint of what was shown instead, when it is known.
    """

    def __init__(self, why: str, *, presented: str = "") -> None:
        super().__init__(
            gettext_noop("%(why)s Nothing was sent. Fetch the certificate in its settings and decide.") % {"why": why}
        )
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
            gettext_noop(" lacks %(privilege)s on %(path)s") % {"privilege": self.privilege, "path": self.path}
            if named
            else gettext_noop(" is not allowed to do this%(quoted)s") % {"quoted": quoted(reason)}
        )
        super().__init__(
            gettext_noop("The portal's account%(missing)s. Ask the cluster's administrator for the permission.")
            % {"missing": missing},
            status=status,
            reason=reason,
        )


class BadParameter(ProxmoxError):
    """400, or an argument that was not even sent. `errors` has a text for each parameter."""

    def __init__(self, errors: Mapping[str, str], *, status: int | None = None, reason: str = "") -> None:
        details = "; ".join(f"{name}: {text}" for name, text in errors.items())
        super().__init__(
            gettext_noop("The cluster cannot do this as asked%(quoted)s. Report it to those who run the portal.")
            % {"quoted": quoted(details or reason)},
            status=status,
            reason=reason,
        )
        self.errors = dict(errors)


class NotFound(ProxmoxError):
    """The guest, node, pool or task is not there."""

    def __init__(self, plain: str = "", *, status: int | None = None, reason: str = "") -> None:
        known = gettext_noop(
            "The cluster does not know this machine, node or task (any more). Reload the page and try again."
        )
        super().__init__(plain or known, status=status, reason=reason)


class GuestGone(NotFound):
    """The guest is not, or no longer, on this node: deleted, or moved to another one."""

    def __init__(self, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            gettext_noop(
                "The cluster does not know this machine there (any more): it was deleted, or moved to "
                "another node. Reload the page and try again."
            ),
            status=status,
            reason=reason,
        )


class Refused(ProxmoxError):
    """500 or 501: the cluster understood and declined; `reason` is its message."""


class NoQuorum(Refused):
    """Too few nodes see each other to change anything. Reading still works."""

    def __init__(self, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            gettext_noop(
                "The cluster has no quorum, so nothing can be started or changed%(quoted)s. Bring its nodes back."
            )
            % {"quoted": quoted(reason)},
            status=status,
            reason=reason,
        )


class Locked(Refused):
    """Something else is under way with this guest. `lock` names it when the cluster did: backup, clone, …"""

    def __init__(self, lock: str = "", *, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            gettext_noop("The machine is locked by something that is under way%(quoted)s. Try again in half a minute.")
            % {"quoted": quoted(reason)},
            status=status,
            reason=reason,
        )
        self.lock = lock


class NodeDown(ProxmoxError):
    """595 to 599: the cluster answers, but the node that should act does not. `node` is empty for the entry itself."""

    def __init__(self, node: str, *, status: int, reason: str) -> None:
        who = (
            gettext_noop("Node %(node)s of the cluster") % {"node": node}
            if node
            else gettext_noop("The cluster's own service")
        )
        super().__init__(
            gettext_noop("%(who)s cannot be reached%(quoted)s. Check whether it is running.")
            % {"who": who, "quoted": quoted(reason)},
            # 595 is a connection that never came about; the others leave open how far the request got.
            sent=status != 595,
            status=status,
            reason=reason,
        )
        self.node = node


class ProtocolError(ProxmoxError):
    """What came back is not the Proxmox VE API."""

    def __init__(self, what: str, *, sent: bool = True, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            gettext_noop(
                "The answer is not one of Proxmox VE: %(what)s. Check host and port, and what stands "
                "between the portal and the cluster."
            )
            % {"what": what},
            sent=sent,
            status=status,
            reason=reason,
        )


# What became of a change


class OutcomeUnknown(ProxmoxError):
    """A change was sent, and nobody knows whether it was carried out. `why` is what hid the answer."""

    def __init__(self, why: ProxmoxError) -> None:
        super().__init__(
            gettext_noop("%(why)s The request may have been carried out: look before you repeat it.")
            % {"why": why.plain},
            sent=True,
            status=why.status,
            reason=why.reason,
        )
        self.why = why


class TaskFailed(ProxmoxError):
    """A task that was begun and ended badly; `reason` is its error. `locked`: something else was under way."""

    def __init__(self, exit_status: str, *, locked: bool = False) -> None:
        super().__init__(
            gettext_noop("The cluster began it, and the task failed%(quoted)s.") % {"quoted": quoted(exit_status)},
            reason=exit_status,
        )
        self.locked = locked


def quoted(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""
