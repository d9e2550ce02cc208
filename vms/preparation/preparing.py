"""Prepares a machine for the next person, one operation after the other. Any worker may take over from a dead one."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import registry, sentences
from vms.access import machine_rules, restore_points, rules
from vms.access.context import context_for
from vms.inventory import identity
from vms.inventory.snapshots import write_snapshots
from vms.models import Assignment, Operation, Preparation, VirtualMachine, people_without_grant
from vms.operations import enqueue, requesting
from vms.preparation import cleanup
from vms.preparation.cleanup import RestorePoint
from vms.sentences import say

logger = logging.getLogger(__name__)

Action, State, Way = Operation.Action, Preparation.State, Preparation.Way

# How long an obstacle is waited for, from the choice or the last step on. After it somebody has to choose again.
MAX_WAIT = timedelta(minutes=15)
RETRY_DELAY = timedelta(seconds=3)
PICK_UP_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True)
class LastStep:
    """What else is done to some machines before the next person gets them. `is_due` takes a primary key.

    `do` may ask the cluster, and raises `ProxmoxError` when it has to be tried again.
    """

    is_due: Callable[[int], bool]
    do: Callable[[VirtualMachine], None]


last_steps: list[LastStep] = []

# Called with the primary keys of machines that were released.
release_listeners: list[Callable[[list[int]], object]] = []


def reconcile() -> None:
    """Enqueue what is due, even when the queue has lost its jobs."""
    now = timezone.now()
    for pk in list(Preparation.objects.due(now).values_list("pk", flat=True)):
        if Preparation.objects.free(now).filter(pk=pk, next_look_at__lte=now).update(next_look_at=now + PICK_UP_WITHIN):
            enqueue.preparation(pk)


def take_step(preparation: Preparation) -> None:
    """Take one step, unless another worker has the lease or an operation is open."""
    if not preparation.claim(timezone.now()):
        return
    try:
        _step(preparation, registry.get(preparation.assignment.vm.cluster_id))
    except registry.UnknownCluster:
        preparation.finish(State.FAILED, say("cluster-switched-off"))
    except proxmox.NotFound:
        preparation.finish(State.FAILED, say("machine-not-there"))
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", preparation, error)
        _fail_if_overdue(preparation, error.plain)
    finally:
        preparation.release_lease(look_again_in=RETRY_DELAY)


def _step(preparation: Preparation, config: ClusterConfig) -> None:
    done = preparation.operation
    if done and done.is_open:
        return
    if done and done.state != Operation.State.DONE:
        preparation.finish(State.FAILED, done.rendered_outcome)
    elif done and done.action in {Action.ROLLBACK, Action.SHUTDOWN}:
        _take_last_steps(preparation)
    elif wanted := _next_operation(preparation, config):
        _request(preparation, *wanted)


def _next_operation(preparation: Preparation, config: ClusterConfig) -> tuple[str, str] | None:
    """The next action and its snapshot. None when there is none; the reason is saved."""
    vm = preparation.assignment.vm
    if reason := machine_rules.nothing_under_way(context_for(vm), ""):
        _fail_if_overdue(preparation, reason)
        return None
    with gateway.connect(config) as pve:
        if not identity.confirm(pve, vm):
            preparation.finish(State.FAILED, say("another-machine"))
            return None
        listed = pve.snapshots(vm.node, vm.kind, vm.vmid)
        asked_at = timezone.now()
        status = pve.guest_status(vm.node, vm.kind, vm.vmid)
    with transaction.atomic():
        write_snapshots(vm.pk, listed)
    going = _points_to_delete(preparation, listed)
    not_shown = [name for name in going if name not in preparation.points and name not in restore_points.NAMES]
    if reason := _baseline_problem(preparation, listed):
        preparation.finish(State.FAILED, reason)
    elif not_shown:
        preparation.finish(State.FAILED, say("unshown-points", names=", ".join(not_shown)))
    elif status.lock == machine_rules.SUSPENDED_TO_DISK and preparation.way != Way.AS_IT_IS:
        preparation.finish(State.FAILED, say("sleeps"))
    elif going:
        return Action.DELETE_SNAPSHOT, going[0]
    elif preparation.way == Way.REVERT:
        return Action.ROLLBACK, preparation.baseline
    elif preparation.way == Way.AS_IT_IS or status.status == "stopped":
        vm.observe(status.state, at=asked_at, lock=status.lock)
        _take_last_steps(preparation)
    elif status.state != "running":
        preparation.finish(State.FAILED, say("cannot-shut-down", status=sentences.status(status.state)))
    else:
        vm.observe(status.status, at=asked_at, lock=status.lock)
        return Action.SHUTDOWN, ""
    return None


def _baseline_problem(preparation: Preparation, listed: proxmox.Snapshots) -> str:
    """Why the machine cannot be reverted to its baseline; empty when it can, or is not to be."""
    if preparation.way != Way.REVERT:
        return ""
    baseline = next((one for one in listed.all if one.name == preparation.baseline), None)
    if baseline is None:
        return say("no-baseline", name=preparation.baseline)
    return say("snapshot-incomplete") if baseline.state else ""


def _points_to_delete(preparation: Preparation, listed: proxmox.Snapshots) -> list[str]:
    found = (
        RestorePoint(one.name, one.parent, datetime.fromtimestamp(one.taken, UTC) if one.taken else None)
        for one in listed.all
    )
    since = preparation.assignment.assigned_at
    return cleanup.points_to_delete(found, way=preparation.way, baseline=preparation.baseline, since=since)


def _request(preparation: Preparation, action: str, snapshot: str) -> None:
    """Request an operation in the name of the person who chose, or wait for a temporary obstacle."""
    vm, person = preparation.assignment.vm, preparation.asked_by
    if person is None or not person.is_active:
        preparation.finish(State.FAILED, say("taken"))
        return
    if preparation.operation:
        vm.lock = ""  # the last sync may have seen the step that has just ended; the cluster refuses locked machines
    context = context_for(vm, person=person, snapshot=snapshot)
    if reason := rules.refusal_when_sent(context, action):
        preparation.finish(State.FAILED, reason)
        return
    try:
        with transaction.atomic():  # a worker may die in between
            operation, _new = requesting.request(vm, action, by=person, snapshot=snapshot, unlimited=True)
            preparation.advance(operation=operation)
    except requesting.Refused as refusal:
        _fail_if_overdue(preparation, refusal.text)


def _fail_if_overdue(preparation: Preparation, why: str) -> None:
    before = preparation.operation.finished_at if preparation.operation else None
    if (before or preparation.asked_at) < timezone.now() - MAX_WAIT:
        preparation.finish(State.FAILED, why)


def _take_last_steps(preparation: Preparation) -> None:
    vm = preparation.assignment.vm
    for step in last_steps:
        if step.is_due(vm.pk):
            step.do(vm)
    succeed(preparation)


def has_last_steps(vm: int) -> bool:
    """Whether the worker has something to do with this machine (by primary key) before it is released."""
    return any(step.is_due(vm) for step in last_steps)


def succeed(preparation: Preparation) -> None:
    """Release the machine, and assign it to the person for whom it is reserved, if any."""
    with transaction.atomic():
        if not preparation.finish(State.DONE):
            return
        preparation.refresh_from_db(fields=["reserved_for"])  # the reservation may have been cancelled meanwhile
        released = preparation.assignment
        Assignment.objects.filter(pk=released.pk, released_at=None).update(released_at=timezone.now())
        Operation.objects.filter(vm=released.vm_id).dismiss()
        if preparation.reserved_for_id:
            _assign_reserved(released.vm, preparation.reserved_for_id)
        transaction.on_commit(partial(notify_released, [released.vm_id]), robust=True)


def _assign_reserved(vm: VirtualMachine, person: int) -> None:
    """Assign it, unless the person is inactive or has no grant (any more)."""
    if not User.objects.filter(pk=person, is_active=True).exists() or people_without_grant([(vm.pk, person)]):
        return
    try:
        with transaction.atomic():
            Assignment.objects.create(vm=vm, user_id=person)
    except IntegrityError:
        logger.warning("%s was given away while it was being released", vm)


def notify_released(machines: list[int]) -> None:
    for listener in release_listeners:
        listener(machines)
