"""Which keyboard layout a guest has, as far as the portal knows, and what spoils typing in its console."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from vms.models import ClusterSync, VirtualMachine
from vms.models.keyboards import KeyboardLayout


@dataclass(frozen=True)
class Keyboard:
    """`layout` is the guest's, chosen by a person or, with `is_guess`, taken from Proxmox VE; empty: unknown.

    `option` is the keyboard option of Proxmox VE, with which QEMU ignores key codes; empty: not set. `is_windows`: dead
    keys are those of Windows. `warnings` are sentences about what spoils typing and pointing.
    """

    layout: str
    is_guess: bool
    option: str
    is_windows: bool
    warnings: tuple[str, ...]


def for_machine(machine: VirtualMachine) -> Keyboard:
    of_cluster = "" if machine.keyboard_option else _option_of_cluster(machine)
    option = machine.keyboard_option or of_cluster
    # Proxmox VE's installer writes a layout for the whole cluster, most often en-us, whatever the guests have.
    guess = "" if of_cluster == KeyboardLayout.US else option
    return Keyboard(
        layout=machine.keyboard_layout or (guess if guess in KeyboardLayout.values else ""),
        is_guess=not machine.keyboard_layout,
        option=option,
        is_windows=machine.os_type.startswith("w"),
        warnings=tuple(_warnings(machine, option, is_of_cluster=bool(of_cluster))),
    )


def _option_of_cluster(machine: VirtualMachine) -> str:
    found = ClusterSync.objects.filter(cluster_id=machine.cluster_id).values_list("keyboard", flat=True).first()
    return str(found or "") if machine.kind == VirtualMachine.Kind.QEMU else ""


def _warnings(machine: VirtualMachine, option: str, *, is_of_cluster: bool) -> list[str]:
    found = []
    if option:
        lost = (
            _("Proxmox VE sets the keyboard “%(option)s” for the cluster: accents that you type may be lost.")
            if is_of_cluster
            else _("Proxmox VE sets the keyboard “%(option)s” for this machine: accents that you type may be lost.")
        ) % {"option": option}
        instead = (
            _("Use “Paste text” for them, or ask an administrator to remove the option.")
            if option in KeyboardLayout.values
            else _("Text cannot be pasted either. Ask an administrator to remove the option.")
        )
        found.append(f"{lost} {instead}")
    if not machine.has_tablet:
        found.append(
            _("“Use tablet for pointer” is off in Proxmox VE: the pointer in the machine may be beside yours.")
        )
    return found
