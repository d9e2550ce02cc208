"""The shrink guard: whether machines that an answer lacks are taken for missing, or the answer for partial."""

from collections.abc import Collection, Mapping

from django.utils.translation import gettext_noop

from clusters import proxmox
from vms.inventory.machine_table import MachineRow
from vms.models import ClusterSync, Node

# An answer that lacks more than this share of the machines is suspicious. One machine may always vanish.
SUSPICIOUS_LOSS = 0.3

HINT = gettext_noop(
    "If they are really gone, choose “Believe the last answer” in the admin, at the readings of clusters."
)


def check(
    answer: proxmox.Resources, state: ClusterSync, *, known: Mapping[int, MachineRow], lost: Collection[MachineRow]
) -> str:
    """Why the answer is suspicious, in a sentence for people, or an empty string. A person may have accepted it."""
    if state.believe_down_to is not None and len(answer.guests) >= state.believe_down_to:
        return ""
    present = sum(row.is_present for row in known.values())
    missed = sum(row.is_present for row in lost)
    return _partial(answer, state, present) or _shrunken(len(answer.guests), present, missed)


def _partial(answer: proxmox.Resources, state: ClusterSync, present: int) -> str:
    if answer.rejected:
        return gettext_noop(
            "%(rejected)s entries of the answer were not understood; nothing was taken for missing."
        ) % {"rejected": answer.rejected}
    if not answer.guests and not present:
        return ""
    if answer.guests and not answer.nodes and Node.objects.present().filter(cluster_id=state.cluster_id).exists():
        return gettext_noop("The cluster listed none of its nodes; nothing was taken for missing.")
    online = sum(node.online for node in answer.nodes)
    if answer.nodes and 2 * online <= len(answer.nodes):
        return gettext_noop("Only %(online)s of %(all)s nodes are online; nothing was taken for missing.") % {
            "online": online,
            "all": len(answer.nodes),
        }
    if state.quorate is False:
        return gettext_noop("The cluster has no quorum; nothing was taken for missing. Bring its nodes back.")
    return ""


def _shrunken(seen: int, present: int, missed: int) -> str:
    if present and not seen:
        return gettext_noop(
            "The cluster listed no machine at all. Has its user or token lost its rights? Nothing was removed. %(hint)s"
        ) % {"hint": HINT}
    if missed > max(1, SUSPICIOUS_LOSS * present):
        return gettext_noop(
            "The cluster listed %(missed)s machines fewer than before; nothing was taken for missing. %(hint)s"
        ) % {"missed": missed, "hint": HINT}
    return ""
