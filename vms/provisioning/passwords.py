"""Passwords of machines that were made here: written by cloud-init when the machine starts, shown to its assignee.

A snapshot keeps the password of its time, so the present one is written again after a revert.
"""

import logging

from django.views.decorators.debug import sensitive_variables

from accounts import first_passwords
from accounts.encrypted_fields import SecretUnreadable
from accounts.models import User
from clusters import gateway, proxmox
from vms import registry
from vms.models import Assignment, MadeMachine, VirtualMachine
from vms.sentences import say

logger = logging.getLogger(__name__)


class NotOurs(proxmox.ProxmoxError):
    """The VMID belongs to another machine now. Nothing was written."""

    def __init__(self, vmid: int) -> None:
        super().__init__(say("made-not-ours", vmid=vmid))


def of(vm: int) -> MadeMachine | None:
    """The row with the password of this machine (by primary key); None for a machine without one."""
    rows = MadeMachine.objects.unremoved().filter(vm=vm).filter(password__isnull=False)
    found: MadeMachine | None = rows.select_related("run__template").first()
    return found


def has_one(vm: int) -> bool:
    return of(vm) is not None


def shown_to(user: User, vm: VirtualMachine) -> MadeMachine | None:
    """The row whose password this person may read: the person to whom the machine is assigned, and nobody else."""
    is_theirs = Assignment.objects.live().filter(vm=vm, user=user).exists()
    made = of(vm.pk) if is_theirs else None
    return made if made and known(made) else None


@sensitive_variables()
def known(made: MadeMachine) -> str:
    """The password. Empty: there is none, or the portal no longer has its key."""
    try:
        return made.password.reveal() if made.password else ""
    except SecretUnreadable:
        return ""


@sensitive_variables("made", "fresh")
def renew(vm: VirtualMachine) -> None:
    """Give the machine a password that its next assignee alone knows. Raises `ProxmoxError`: then it is not done."""
    if made := of(vm.pk):
        fresh = {"password": first_passwords.make(), "password_is_written": False}
        MadeMachine.objects.filter(pk=made.pk).update(**fresh)
        made.refresh_from_db(fields=list(fresh))
        write(made)


@sensitive_variables("password")
def write(made: MadeMachine) -> None:
    """Write the password into the configuration; the next start sets it. Raises `ProxmoxError`."""
    password, vm = known(made), made.vm
    if not password or vm is None:
        return
    with gateway.make(registry.get(made.cluster_id)) as maker:
        config = maker.config(vm.node, made.vmid)
        if (config.mark, config.smbios_uuid) != (str(made.mark), made.uuid):
            raise NotOurs(made.vmid)
        maker.configure(vm.node, made.vmid, digest=config.digest, cipassword=password)
    same = MadeMachine.objects.filter(pk=made.pk, password_is_written=False)
    same.update(password_is_written=True)


def reconcile() -> None:
    """Write those again that a revert took back, or that could not be written. Not while automation is held."""
    due = MadeMachine.objects.unremoved().filter(password_is_written=False).exclude(vm=None)
    for made in due.select_related("vm"):
        try:
            write(made)
        except (proxmox.ProxmoxError, registry.UnknownCluster) as error:
            logger.warning("The password of %s is not written: %s", made, error)
