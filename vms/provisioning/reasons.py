"""Why machines of a plan can be made, or not, and what is said about the plan."""

from django.utils.translation import gettext_lazy, gettext_noop, ngettext_lazy

from accounts.plans import Note, Outcome, Reason
from vms.provisioning import planning


class MachineReason(Reason):
    MAKE = (
        "make", Outcome.CREATED, gettext_lazy("will be made"),
        ngettext_lazy("%(n)d will be made", "%(n)d will be made", "n"),
    )  # fmt: skip
    NO_COPY = (
        "no-copy", Outcome.REFUSED, gettext_lazy("the template has no copy that can be used"),
        ngettext_lazy("%(n)d has no template", "%(n)d have no template", "n"),
    )  # fmt: skip
    NO_NODE = (
        "no-node", Outcome.REFUSED, gettext_lazy("no node has room"),
        ngettext_lazy("%(n)d has no room on any node", "%(n)d have no room on any node", "n"),
    )  # fmt: skip
    NO_VMID = (
        "no-vmid", Outcome.REFUSED, gettext_lazy("the template's VMIDs are used up"),
        ngettext_lazy("%(n)d has no VMID left", "%(n)d have no VMID left", "n"),
    )  # fmt: skip
    NO_NETWORK = (
        "no-network", Outcome.REFUSED, gettext_lazy("no network is available"),
        ngettext_lazy("%(n)d has no network", "%(n)d have no network", "n"),
    )  # fmt: skip


NO_PLACE = {
    planning.NO_COPY: MachineReason.NO_COPY,
    planning.NO_NODE: MachineReason.NO_NODE,
    planning.NO_VMID: MachineReason.NO_VMID,
}
NODE_NOTES = {
    planning.OFFLINE: gettext_noop("%(node)s is offline and gets no machine."),
    planning.NEARLY_FULL: gettext_noop("The memory of %(node)s is nearly full: it gets no machine."),
    planning.STORAGE_FULL: gettext_noop("The storage of %(node)s is nearly full: it gets no machine."),
    planning.STORAGE_AWAY: gettext_noop("The storage of %(node)s is not available: it gets no machine."),
}
SLOW_FULL = gettext_noop("This will be slow: full clones copy %(gib)s GiB in all.")
SLOW_OTHER = gettext_noop("Full clones in progress: %(count)s. These machines wait for them.")
REFUSED = gettext_noop("Refused: %(why)s.")
UNCHECKED = Note(gettext_noop("Nobody has checked this template yet: ask an administrator to do so."))
TEMPLATES_OWN = Note(gettext_noop("the template's"))
