"""The next free VMID of a template's range, for a machine whose VMID somebody else took."""

from vms.models import MadeMachine, VirtualMachine

# So many are tried for one machine: whoever takes one after the other would take the next one, too.
MOST_TRIED = 20

# VMIDs that are compared at once.
WINDOW = 200


def next_free(made: MadeMachine) -> int:
    """The first after this machine's that nothing known has, and that no other row reserves. 0: there is none.

    The caller writes it at once; the constraint refuses one that another run reserved meanwhile.
    """
    template = made.run.template
    first, last = made.vmid + 1, template.vmid_to
    if made.ids_tried >= MOST_TRIED:
        return 0
    while first <= last:
        window = range(first, min(first + WINDOW, last + 1))
        taken = set(_reserved(made.cluster_id, window)) | set(_known(made.cluster_id, window))
        if free := next((vmid for vmid in window if vmid not in taken), 0):
            return free
        first = window.stop
    return 0


def _reserved(cluster_id: str, window: range) -> list[int]:
    rows = MadeMachine.objects.unremoved().filter(cluster_id=cluster_id, vmid__range=(window.start, window.stop - 1))
    return list(rows.values_list("vmid", flat=True))


def _known(cluster_id: str, window: range) -> list[int]:
    rows = VirtualMachine.objects.present().filter(cluster_id=cluster_id, vmid__range=(window.start, window.stop - 1))
    return list(rows.values_list("vmid", flat=True))
