"""The shrink guard: decides if machines that an answer lacks are missing, or if the answer is partial."""

from collections.abc import Collection, Mapping

from clusters import proxmox
from vms.inventory.machine_table import MachineRow
from vms.inventory.sync_state import SyncState
from vms.models import Node
from vms.sentences import say

# An answer that lacks more than this share of the machines is suspicious. One machine may always vanish.
SUSPICIOUS_LOSS = 0.3

# A message names no more machines.
MAX_LISTED = 10


def check(
    answer: proxmox.Resources, state: SyncState, *, known: Mapping[int, MachineRow], lost: Collection[MachineRow]
) -> str:
    """Why the answer is suspicious, in a sentence for people, or an empty string. A person may have accepted it."""
    if state.believe_down_to is not None and len(answer.guests) >= state.believe_down_to:
        return ""
    present = sum(row.is_present for row in known.values())
    missed = sum(row.is_present for row in lost)
    return _partial(answer, state, present) or _shrunken(len(answer.guests), present, missed)


def _rejected(answer: proxmox.Resources) -> str:
    if not answer.rejected_vmids:
        return say("entries-rejected", rejected=answer.rejected)
    return say("machines-rejected", rejected=answer.rejected, vmids=listed(answer.rejected_vmids))


def listed(vmids: Collection[int]) -> str:
    """The first of these numbers, for a sentence."""
    first = sorted(vmids)[:MAX_LISTED]
    return ", ".join([*map(str, first), *(["…"] if len(vmids) > len(first) else [])])


def needs_quorum(answer: proxmox.Resources) -> bool:
    """Whether so many nodes are offline that only the cluster's quorum tells whether the list is whole.

    With quorum it is whole, whatever nodes are offline: the configuration of every guest is on all nodes.
    """
    online = sum(node.online for node in answer.nodes)
    return bool(answer.nodes) and 2 * online <= len(answer.nodes)


def _partial(answer: proxmox.Resources, state: SyncState, present: int) -> str:
    if answer.rejected:
        return _rejected(answer)
    if not answer.guests and not present:
        return ""
    if answer.guests and not answer.nodes and Node.objects.present().filter(cluster_id=state.cluster_id).exists():
        return say("no-node-listed")
    return _without_quorum(answer, state.quorate)


def _without_quorum(answer: proxmox.Resources, quorate: bool | None) -> str:
    if quorate:
        return ""
    numbers = {"online": sum(node.online for node in answer.nodes), "all": len(answer.nodes)}
    if not needs_quorum(answer):
        return "" if quorate is None else say("no-quorum-no-loss")
    if quorate is None:
        return say("nodes-offline-quorum-unknown", **numbers, hint=say("believe-hint"))
    return say("nodes-offline", **numbers)


def _shrunken(seen: int, present: int, missed: int) -> str:
    if present and not seen:
        return say("no-machine-listed", hint=say("believe-hint"))
    if missed > max(1, SUSPICIOUS_LOSS * present):
        return say("machines-lost", missed=missed, hint=say("believe-hint"))
    return ""
