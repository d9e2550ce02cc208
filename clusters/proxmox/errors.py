"""What can go wrong between the portal and a cluster, in the words of the people who read it."""

import re
from collections.abc import Mapping

_PRIVILEGE = re.compile(r"\((/[^,()]*), ([^()]+)\)")
_ABSENT = re.compile(
    r"Configuration file '.*' does not exist|hostname lookup '.*' failed|no such (cluster )?node|"
    r"no such task|(VM|CT) \d+ does not exist"
)


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

    def of_a_change(self) -> "ProxmoxError":
        """The same, of a request that was to change something."""
        if self.sent:
            self.plain += " The request may have been carried out: look before you repeat it."
        return self


class NoCredential(ProxmoxError):
    """The configuration has neither token nor password."""

    def __init__(self) -> None:
        super().__init__("This cluster has no credential. Enter an API token, or a password, in its settings.")


class CredentialUnreadable(ProxmoxError):
    """The stored credential cannot be decrypted, or is none that could be sent."""


class Unreachable(ProxmoxError):
    """No answer: there was no connection, or it broke off."""


class NameNotFound(Unreachable):
    def __init__(self) -> None:
        super().__init__("The cluster's host name is not known. Check the host in the cluster's settings.")


class ConnectionRefused(Unreachable):
    def __init__(self) -> None:
        super().__init__(
            "The cluster refuses connections on its port. Check host and port, and whether pveproxy runs there."
        )


class TimedOut(Unreachable):
    def __init__(self, *, sent: bool) -> None:
        super().__init__(
            "The cluster did not answer in time. If this goes on, check its load and the network.", sent=sent
        )


class Dropped(Unreachable):
    """The connection ended after the request was written. `reused`: it had served an earlier request."""

    def __init__(self, *, reused: bool = False) -> None:
        super().__init__(
            "The cluster closed the connection instead of answering. If this goes on, check pveproxy there.", sent=True
        )
        self.reused = reused


class Untrusted(ProxmoxError):
    """The certificate is not the one that was agreed on. Nothing was sent, no credential either."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Nothing was sent to it. Check the certificate and the trust settings of the cluster.")
        self.reason = why


class LoginRejected(ProxmoxError):
    """401."""


class Forbidden(ProxmoxError):
    """403. `path` and `privilege` say what is missing, when the cluster said so."""

    def __init__(self, *, status: int = 403, reason: str = "") -> None:
        named = _PRIVILEGE.search(reason)
        self.path, self.privilege = (named[1], named[2]) if named else ("", "")
        missing = f" lacks {self.privilege} on {self.path}" if named else f" is not allowed to do this{_quoted(reason)}"
        super().__init__(
            f"The portal's account{missing}. Ask the cluster's administrator for the permission.",
            status=status,
            reason=reason,
        )


class InvalidRequest(ProxmoxError):
    """400, or an argument that was not even sent. `errors` has a text for each parameter."""

    def __init__(self, errors: Mapping[str, str], *, status: int | None = None, reason: str = "") -> None:
        details = "; ".join(f"{name}: {text}" for name, text in errors.items())
        super().__init__(
            f"The cluster cannot do this as asked{_quoted(details or reason)}. Report it to those who run the portal.",
            status=status,
            reason=reason,
        )
        self.errors = dict(errors)


class NotFound(ProxmoxError):
    """The guest, node or task is not there."""


class Refused(ProxmoxError):
    """500 or 501: the cluster understood and declined; `reason` is its message."""


class NodeDown(ProxmoxError):
    """595 to 599: the cluster answers, but the node that should act does not. `node` is empty for the entry itself."""

    def __init__(self, node: str, *, status: int, reason: str) -> None:
        who = f"Node {node} of the cluster" if node else "The cluster's own service"
        super().__init__(
            f"{who} cannot be reached{_quoted(reason)}. Check whether it is running.",
            # 595 is a connection that never came about; the others leave open how far the request got.
            sent=status != 595,
            status=status,
            reason=reason,
        )
        self.node = node


class BadAnswer(ProxmoxError):
    """What came back is not the Proxmox VE API."""

    def __init__(self, what: str, *, sent: bool = True, status: int | None = None, reason: str = "") -> None:
        super().__init__(
            f"The answer is not one of Proxmox VE: {what}. Check host and port, and what stands between the portal "
            "and the cluster.",
            sent=sent,
            status=status,
            reason=reason,
        )


def from_status(status: int, *, reason: str, errors: Mapping[str, str], node: str = "") -> ProxmoxError:
    """The error that an answer of 400 and above stands for."""
    if status == 401:
        return LoginRejected(
            f"The cluster rejected the portal's credential{_quoted(reason)}. Enter a valid one in its settings.",
            status=status,
            reason=reason,
        )
    if status == 403:
        return Forbidden(status=status, reason=reason)
    if status in (400, 500, 501):
        return _declined(status, reason, errors)
    if 595 <= status <= 599:
        return NodeDown(node, status=status, reason=reason)
    return BadAnswer(f"HTTP status {status} {reason}".strip(), status=status, reason=reason)


def _declined(status: int, reason: str, errors: Mapping[str, str]) -> ProxmoxError:
    """Proxmox VE has no 404: that something is missing is in the text."""
    if _ABSENT.search(" ".join((reason, *errors.values()))):
        return NotFound(
            "The cluster does not know this machine, node or task (any more). Reload the page and try again.",
            status=status,
            reason=reason,
        )
    if status == 400:
        return InvalidRequest(errors, status=status, reason=reason)
    return Refused(f"The cluster refused{_quoted(reason)}.", status=status, reason=reason)


def _quoted(reason: str) -> str:
    return f" ({reason.rstrip('.')})" if reason else ""
