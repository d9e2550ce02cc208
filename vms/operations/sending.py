"""Sends an operation: the one place where an action reaches a cluster."""

import logging
from datetime import timedelta

from django.utils import timezone

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledByKey
from accounts.models import User
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.client import DEADLINE, REUSED_FOR_CHANGES
from vms.access import rules
from vms.access.context import context_for
from vms.inventory import identity
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.operations import failures, following, kinds
from vms.sentences import say

logger = logging.getLogger(__name__)

State = Operation.State

# An admitted operation that could not be sent for so long is dropped.
SEND_WITHIN = timedelta(minutes=5)

# Seconds that the lease has to last for the call; otherwise another worker looks for a task that is not there yet.
LEASE_NEEDED = DEADLINE + 2


_PERSON = CompiledByKey(lambda pk: User.objects.filter(pk=pk, is_active=True), key=SENTINEL_NUMBER)
_MACHINE = CompiledByKey(
    lambda pk: VirtualMachine.objects.select_related("cluster__health").filter(pk=pk), key=SENTINEL_NUMBER
)


def send(operation: Operation, config: ClusterConfig) -> None:
    if not _is_still_allowed(operation) or operation.vm is None:
        return
    vm = operation.vm
    try:
        with gateway.connect(config, change_within=REUSED_FOR_CHANGES) as pve:  # `resolve` finds out what arrived
            try:
                _confirm_and_send(pve, operation, vm)
            except proxmox.GuestGone:  # nothing was carried out
                if not identity.follow_move(pve, vm):
                    raise
                _confirm_and_send(pve, operation, vm)
    except proxmox.ProxmoxError as error:
        _record_error(operation, error)


def _confirm_and_send(pve: proxmox.Client, operation: Operation, vm: VirtualMachine) -> None:
    if not identity.confirm(pve, vm):
        operation.finish(State.FAILED, say("another-machine"), expected=operation.state)
    elif not identity.is_asked_for(vm) or _is_still_allowed(operation):  # a cluster may take long to answer
        _send_now(pve, operation, vm)


def _send_now(pve: proxmox.Client, operation: Operation, vm: VirtualMachine) -> None:
    if not operation.advance(State.SENT, expected=operation.state, sent_at=timezone.now()):
        return
    # A process may be stopped for minutes between two lines; another worker took over then, and found no task.
    if not operation.is_leased_for(LEASE_NEEDED):
        operation.finish(State.FAILED, say("held-up"), expected=State.SENT)
        return
    try:
        upid = kinds.start_task(pve, operation, vm)
    except proxmox.Refused as refusal:
        if following.finish_if_fulfilled(operation, pve, refusal.reason):
            return
        raise
    operation.advance(
        State.RUNNING, expected=State.SENT, upid=upid, **operation.released(following.pause_of(operation))
    )


def _record_error(operation: Operation, error: proxmox.ProxmoxError) -> None:
    if error.sent and operation.state == State.SENT:
        logger.warning("%s: %s", operation, error)  # it may have arrived: the next step finds out
        return
    operation.finish(State.FAILED, failures.explain(error.plain, error.reason), expected=operation.state)
    if isinstance(error, proxmox.NotFound):
        ClusterSync.request_sync(operation.cluster_id)  # it was moved or deleted: the sync finds out


def _is_still_allowed(operation: Operation) -> bool:
    """Ask the rules again, because much may have changed since the click, and cancel the operation if they refuse."""
    reason = _refusal(operation)
    if reason:
        operation.finish(State.CANCELLED, reason, expected=operation.state)
    return not reason


def _refusal(operation: Operation) -> str:
    now = timezone.now()
    if (operation.admitted_at or now) < now - SEND_WITHIN:
        return say("unsent-too-long")
    person, vm = _PERSON.first(operation.requested_by_id or 0), _MACHINE.first(operation.vm_id or 0)
    if person is None or vm is None:
        return say("taken")
    operation.vm = vm  # as it is now, and read once
    context = context_for(vm, person=person, snapshot=operation.snapshot, sending=operation)
    return (rules.refusal_when_sent(context, operation.action) or "") if context.may_operate else say("taken")
