"""The outcomes of a line that asks for a machine, in the order in which they are counted."""

from django.utils.translation import gettext_lazy, ngettext_lazy

from accounts.plans import Outcome, Reason, reasons


class AssignmentReason(Reason):
    ASSIGN = (
        "assign", Outcome.CREATED, gettext_lazy("will be assigned"),
        ngettext_lazy("%(n)d will be assigned", "%(n)d will be assigned", "n"),
    )  # fmt: skip
    REASSIGN = (
        "reassign", Outcome.CHANGED, gettext_lazy("will be reassigned"),
        ngettext_lazy("%(n)d will be reassigned", "%(n)d will be reassigned", "n"),
    )  # fmt: skip
    HOLDS = (
        "holds", Outcome.SKIPPED, gettext_lazy("already assigned to this person"),
        ngettext_lazy("%(n)d has the machine already", "%(n)d have the machine already", "n"),
    )  # fmt: skip
    TAKEN = (
        "taken", Outcome.SKIPPED, gettext_lazy("assigned to somebody else"),
        ngettext_lazy("%(n)d is assigned to somebody else", "%(n)d are assigned to somebody else", "n"),
    )  # fmt: skip
    DUPLICATE = reasons.DUPLICATE
    NO_PERSON = reasons.NO_ACCOUNT
    NOT_IN_CLASS = (
        "not-in-class", Outcome.REFUSED, gettext_lazy("not in the class"),
        ngettext_lazy("%(n)d is not in the class", "%(n)d are not in the class", "n"),
    )  # fmt: skip
    DISABLED = reasons.DISABLED
    NO_GRANT = (
        "no-grant", Outcome.REFUSED, gettext_lazy("no access to the cluster"),
        ngettext_lazy("%(n)d has no access to the cluster", "%(n)d have no access to the cluster", "n"),
    )  # fmt: skip
    NO_MACHINE = (
        "no-machine", Outcome.REFUSED, gettext_lazy("unknown machine"),
        ngettext_lazy("%(n)d names an unknown machine", "%(n)d name unknown machines", "n"),
    )  # fmt: skip
    AMBIGUOUS = (
        "ambiguous", Outcome.REFUSED, gettext_lazy("several machines have this name"),
        ngettext_lazy("%(n)d has an ambiguous machine name", "%(n)d have ambiguous machine names", "n"),
    )  # fmt: skip
    TEMPLATE = (
        "template", Outcome.REFUSED, gettext_lazy("is a template"),
        ngettext_lazy("%(n)d names a template", "%(n)d name templates", "n"),
    )  # fmt: skip
    GONE = (
        "gone", Outcome.REFUSED, gettext_lazy("machine no longer exists"),
        ngettext_lazy("%(n)d names a deleted machine", "%(n)d name deleted machines", "n"),
    )  # fmt: skip
    NOT_READY = (
        "not-ready", Outcome.REFUSED, gettext_lazy("not ready"),
        ngettext_lazy("%(n)d is not ready", "%(n)d are not ready", "n"),
    )  # fmt: skip
    NONE_LEFT = (
        "none-left", Outcome.REFUSED, gettext_lazy("no machine left"),
        ngettext_lazy("%(n)d gets no machine", "%(n)d get no machine", "n"),
    )  # fmt: skip
    CONFLICT = (
        "conflict", Outcome.REFUSED, gettext_lazy("conflicts with another line"),
        ngettext_lazy("%(n)d conflicts with another line", "%(n)d conflict with other lines", "n"),
    )  # fmt: skip
    INVALID = reasons.INVALID
