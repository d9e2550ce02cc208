"""The words about a failed operation for people who are not staff."""

from django.utils.translation import gettext as _

from accounts import stored_messages
from vms.models import Operation

# Outcomes that everyone may read. What else a cluster says is for staff.
PUBLIC = {"another-machine", "held-up", "locked"}

# Where the same request fails again until an administrator has changed something.
HOPELESS = {
    "permission-missing", "bad-parameter", "no-credential", "credential-unreadable", "credential-rejected",
    "credential-rejected-before", "token-malformed", "second-factor", "certificate-rejected", "certificate-unreadable",
    "certificate-not-trusted", "certificate-not-trusted-because", "certificate-changed", "pin-malformed",
    "ca-unreadable", "host-unknown", "host-not-allowed", "guest-gone",
}  # fmt: skip


def public_reason(operation: Operation) -> str:
    """The reason of a failure in a sentence for everyone; empty when the reason is unknown or for staff alone."""
    outcome = stored_messages.of(operation, "outcome")
    if not isinstance(outcome, stored_messages.Message):
        return ""
    if outcome.code == "explained":
        return str(outcome.parameters["why"])
    return outcome.rendered if outcome.code in PUBLIC else ""


def advice(operation: Operation) -> str:
    """The advice after a failure: its reason, or whether trying again can help."""
    if reason := public_reason(operation):
        return reason
    outcome = stored_messages.of(operation, "outcome")
    if isinstance(outcome, stored_messages.Message) and outcome.code in HOPELESS:
        return _("Ask your teacher.")
    return _("Try again, or ask your teacher.")
