"""Reasons that several kinds of plans have: the parts of a member of `Reason`."""

from django.utils.translation import gettext_lazy, ngettext_lazy

from accounts.plans.outcome import Outcome

CREATED = (
    "new", Outcome.CREATED, gettext_lazy("will be created"),
    ngettext_lazy("%(n)d will be created", "%(n)d will be created", "n"),
)  # fmt: skip
CHANGED = (
    "updated", Outcome.CHANGED, gettext_lazy("will be changed"),
    ngettext_lazy("%(n)d will be changed", "%(n)d will be changed", "n"),
)  # fmt: skip
SAME = (
    "same", Outcome.SKIPPED, gettext_lazy("nothing to change"),
    ngettext_lazy("%(n)d has nothing to change", "%(n)d have nothing to change", "n"),
)  # fmt: skip
DUPLICATE = (
    "duplicate", Outcome.SKIPPED, gettext_lazy("duplicate"),
    ngettext_lazy("%(n)d is a duplicate", "%(n)d are duplicates", "n"),
)  # fmt: skip
NO_ACCOUNT = (
    "no-account", Outcome.REFUSED, gettext_lazy("no account"),
    ngettext_lazy("%(n)d has no account", "%(n)d have no account", "n"),
)  # fmt: skip
DISABLED = (
    "disabled", Outcome.REFUSED, gettext_lazy("account is disabled"),
    ngettext_lazy("%(n)d has a disabled account", "%(n)d have disabled accounts", "n"),
)  # fmt: skip
INVALID = (
    "invalid", Outcome.REFUSED, gettext_lazy("invalid"),
    ngettext_lazy("%(n)d is invalid", "%(n)d are invalid", "n"),
)  # fmt: skip
