"""Request, send, follow, settle: the way of every action on a machine.

The row is the truth. It is committed before the cluster hears of it, sent once, and never sent again by itself:
whoever takes over from a dead worker looks, and does not repeat.
"""

import logging
from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from clusters import gate, proxmox
from clusters.config import ClusterConfig
from clusters.models import ClusterHealth
from vms import registry, rules
from vms.models import ClusterSync, Operation, VirtualMachine

logger = logging.getLogger(__name__)

State = Operation.State

# A request that nobody could send for this long is dropped: nobody wants a machine started an hour later.
STALE_REQUEST = timedelta(minutes=5)

# After this long without an end, an operation is left as unknown.
FOLLOW_FOR = timedelta(minutes=15)

# What was perhaps received may still take effect this long.
SETTLE_WITHIN = timedelta(minutes=1)

GOAL = {
    Operation.Action.START: "running",
    Operation.Action.REBOOT: "running",
    Operation.Action.SHUTDOWN: "stopped",
    Operation.Action.STOP: "stopped",
}


class Refused(Exception):
    """The action cannot be requested now; the text says why, for the person who asked."""


def situation(machine: VirtualMachine) -> rules.Situation:
    health = ClusterHealth.objects.filter(cluster__cluster_id=machine.cluster_id).first()
    return rules.Situation(machine, health, Operation.objects.open().filter(vm=machine).first())


def request(machine: VirtualMachine, action: str, *, by: User) -> tuple[Operation, bool]:
    """Record that a person wants this done. Returns the operation and whether it is new.

    A second request while the same action is under way gets the first one. Raises `Refused`.
    The caller has already found the machine through `operable_by(by)`.
    """
    now = situation(machine)
    if now.open_operation and now.open_operation.action == action:
        return now.open_operation, False
    if reason := rules.why_not(now, action):
        raise Refused(reason)
    try:
        with transaction.atomic():
            return _record(machine, action, by), True
    except IntegrityError:  # somebody was faster, and the constraint kept it to one
        first = Operation.objects.open().filter(vm=machine.pk, action=action).first()
        if first is None:
            reason = rules.why_not(situation(machine), action)
            raise Refused(reason or "The machine has just changed. Look at it again.") from None
        return first, False


def _record(machine: VirtualMachine, action: str, by: User) -> Operation:
    return Operation.objects.create(
        vm=machine,
        cluster_id=machine.cluster_id,
        vmid=machine.vmid,
        vm_name=machine.name,
        action=action,
        requested_by=by,
        requested_by_name=by.get_username(),
    )


def admit(cluster_id: str) -> int:
    """Let through, in order, what may be under way at once on this cluster and its nodes. Returns how many.

    The cluster's row is locked meanwhile, so that two workers do not both see the last free place.
    """
    with transaction.atomic():
        ClusterSync.objects.get_or_create(cluster_id=cluster_id)
        limits = ClusterSync.objects.select_for_update().get(cluster_id=cluster_id)
        busy = Counter(Operation.objects.under_way().filter(cluster_id=cluster_id).values_list("node", flat=True))
        admitted = 0
        for operation in Operation.objects.waiting().filter(cluster_id=cluster_id).select_related("vm"):
            node = operation.vm.node if operation.vm else ""
            if busy.total() >= (limits.cluster_limit or settings.OPERATIONS_PER_CLUSTER):
                break
            if busy[node] < (limits.node_limit or settings.OPERATIONS_PER_NODE):
                Operation.objects.filter(pk=operation.pk, state=State.REQUESTED).update(
                    admitted_at=timezone.now(), node=node
                )
                busy[node] += 1
                admitted += 1
    return admitted


def work_on(operation: Operation) -> None:
    """Take one step with an operation, if nobody else holds it."""
    if not operation.claim(timezone.now()):
        return
    try:
        config = registry.get(operation.cluster_id)
        STEPS[State(operation.state)](operation, config)
    except registry.UnknownCluster:
        end = State.CANCELLED if operation.state == State.REQUESTED else State.UNKNOWN
        operation.finish(end, "The cluster was switched off meanwhile.", expected=operation.state)
    except proxmox.ProxmoxError as error:
        # The step only looked; the next turn looks again, until FOLLOW_FOR is over.
        logger.warning("%s: %s", operation, error.plain)
        _give_up_late(operation, error.plain)
    finally:
        operation.release()


def _send(operation: Operation, config: ClusterConfig) -> None:
    if reason := _no_longer_allowed(operation):
        operation.finish(State.CANCELLED, reason, expected=State.REQUESTED)
        return
    vm = operation.vm
    if vm is None or not operation.advance(State.SENT, expected=State.REQUESTED, sent_at=timezone.now()):
        return
    try:
        with gate.connect(config) as pve:
            upid = pve.power(vm.node, vm.kind, vm.vmid, proxmox.Power(operation.action))
    except proxmox.ProxmoxError as error:
        if not error.sent:
            operation.finish(State.FAILED, error.plain, expected=State.SENT)
        else:
            logger.warning("%s: %s", operation, error.plain)  # it may have arrived: the next turn looks
        return
    operation.advance(State.RUNNING, expected=State.SENT, upid=upid)


def _no_longer_allowed(operation: Operation) -> str:
    """The person's right is looked at again when the operation is sent: much may have changed since the click."""
    by = operation.requested_by
    if operation.requested_at < timezone.now() - STALE_REQUEST:
        return "It waited too long to be sent, so it was dropped. Try again."
    if (
        not by
        or not by.is_active
        or not VirtualMachine.objects.operable_by(by).filter(pk=operation.vm_id or 0).exists()
    ):
        return "The machine was taken from this person before it could be sent."
    return ""


def _follow(operation: Operation, config: ClusterConfig) -> None:
    with gate.connect(config) as pve:
        try:
            task = pve.task_status(operation.upid)
        except proxmox.NotFound:
            _settle_by_status(operation, pve, "The cluster does not know the task any more.")
            return
        if task.running:
            _give_up_late(operation, "The task still runs on the cluster.")
        elif task.succeeded:
            _settle_done(operation, pve)
        else:
            _observe(operation, pve)
            operation.finish(State.FAILED, task.exit_status, expected=State.RUNNING)


def _settle_done(operation: Operation, pve: proxmox.Client) -> None:
    """A reboot's task ends when the machine is down; it is done when the machine runs again."""
    status = _observe(operation, pve)
    if operation.action == Operation.Action.REBOOT and status != "running":
        _give_up_late(operation, "The machine went down but did not come back.")
    else:
        operation.finish(State.DONE, "", expected=State.RUNNING)


def _look(operation: Operation, config: ClusterConfig) -> None:
    """It was being sent when the answer or the worker was lost."""
    with gate.connect(config) as pve:
        _settle_by_status(operation, pve, "It is not known whether the cluster received this.")


def _settle_by_status(operation: Operation, pve: proxmox.Client, why: str) -> None:
    """Nobody can tell what became of it, but the machine's state may show that the goal was reached."""
    if _observe(operation, pve) == GOAL[Operation.Action(operation.action)] and operation.action != "reboot":
        operation.finish(State.DONE, f"{why} The machine's state shows that it was done.", expected=operation.state)
    elif operation.sent_at is None or operation.sent_at < timezone.now() - SETTLE_WITHIN:
        operation.finish(State.UNKNOWN, f"{why} Look at the machine before you try again.", expected=operation.state)


def _observe(operation: Operation, pve: proxmox.Client) -> str:
    """Ask for the machine's status and write it down. Empty when the machine is gone."""
    if operation.vm is None:
        return ""
    asked_at = timezone.now()
    try:
        found = pve.guest_status(operation.vm.node, operation.vm.kind, operation.vmid)
    except proxmox.NotFound:
        return ""
    status = "paused" if found.qmp_status == "paused" else found.status
    operation.vm.observe(status, at=asked_at)
    return status


def _give_up_late(operation: Operation, why: str) -> None:
    if operation.is_open and operation.requested_at < timezone.now() - FOLLOW_FOR:
        operation.finish(State.UNKNOWN, f"{why} Look at the machine before you try again.", expected=operation.state)


STEPS = {State.REQUESTED: _send, State.SENT: _look, State.RUNNING: _follow}
