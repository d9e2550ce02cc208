"""The one moment at which something is sent."""

import logging
from datetime import timedelta

from django.utils import timezone, translation
from django.utils.translation import gettext_noop

from accounts.models import User
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.client import DEADLINE
from vms.access import rules
from vms.access.context import context_for
from vms.inventory import identity
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.operations import kinds

logger = logging.getLogger(__name__)

State = Operation.State

# What was let through and could not be sent for so long is dropped.
SEND_WITHIN = timedelta(minutes=5)

# The lease has to last for the call (seconds), or another worker looks for what is not there yet.
NEEDED = DEADLINE + 2

HELD_UP = gettext_noop("The portal was held up, and sent nothing. Try again.")


def send(operation: Operation, config: ClusterConfig) -> None:
    vm = operation.vm
    if not _is_still_allowed(operation) or vm is None:
        return
    try:
        with gateway.connect(config) as pve:
            if not identity.confirm(pve, vm):
                operation.finish(State.FAILED, identity.ANOTHER, expected=State.REQUESTED)
            elif _is_still_allowed(operation):
                _send_now(pve, operation, vm)
    except proxmox.ProxmoxError as error:
        _not_answered(operation, error)


def _send_now(pve: proxmox.Client, operation: Operation, vm: VirtualMachine) -> None:
    if not operation.advance(State.SENT, expected=State.REQUESTED, sent_at=timezone.now()):
        return
    # A process may be stopped for minutes between any two lines. Who took over has looked and found nothing.
    if not operation.is_leased_for(NEEDED):
        operation.finish(State.FAILED, HELD_UP, expected=State.SENT)
        return
    upid = kinds.begin(pve, operation, vm)
    operation.advance(State.RUNNING, expected=State.SENT, upid=upid)


def _not_answered(operation: Operation, error: proxmox.ProxmoxError) -> None:
    if error.sent and operation.state == State.SENT:
        logger.warning("%s: %s", operation, error.plain)  # it may have arrived: the next step looks
        return
    operation.finish(State.FAILED, error.plain, expected=operation.state)
    if isinstance(error, proxmox.NotFound):
        ClusterSync.request_sync(operation.cluster_id)  # it was moved or deleted: soon the row knows where it is


def _is_still_allowed(operation: Operation) -> bool:
    """The rules are asked again when it is sent: much may have changed since the click. Who may not is cancelled."""
    with translation.override(None):  # it is stored
        reason = _refusal(operation)
    if reason:
        operation.finish(State.CANCELLED, reason, expected=State.REQUESTED)
    return not reason


def _refusal(operation: Operation) -> str:
    now = timezone.now()
    if (operation.admitted_at or now) < now - SEND_WITHIN:
        return gettext_noop("It could not be sent for too long, so it was dropped. Try again.")
    person = User.objects.filter(pk=operation.requested_by_id or 0, is_active=True).first()
    vm = VirtualMachine.objects.select_related("cluster").filter(pk=operation.vm_id or 0).first()
    if person is None or vm is None:
        return Operation.UNASSIGNED
    context = context_for(vm, person=person, snapshot=operation.snapshot)
    return (rules.refusal_when_sent(context, operation.action) or "") if context.may_operate else Operation.UNASSIGNED
