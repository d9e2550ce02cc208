"""Follows what was sent until it ends: by its task, or by the state of the machine."""

import re
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_UUID, CompiledByKey, CompiledUpdate
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import sentences
from vms.models import MadeMachine, Operation, Preparation, Snapshot, VirtualMachine
from vms.models.operations import ended
from vms.operations import enqueue, failures, requesting
from vms.operations.kinds import KINDS, Kind
from vms.sentences import say

State = Operation.State

# What a cluster answers when the machine is already as somebody wants it.
ALREADY = re.compile(r"\b(?:VM|CT) \d+ (?:already|not) running")
SNAPSHOT_GONE = re.compile(r"snapshot '[^']*' does not exist")

# How long an action that may have been received can still take effect.
SETTLE_WITHIN = timedelta(minutes=1)

# How far the clocks of the portal and of a node may differ.
CLOCK_SKEW = timedelta(minutes=2)


# Most operations end within seconds, while somebody waits at a page that polls once a second; heartbeat and queue add
# their delay. Long operations are checked less and less often.
MIN_PAUSE, MAX_PAUSE = timedelta(seconds=0.4), timedelta(seconds=3)
AGE_DIVISOR = 25


def follow(operation: Operation, config: ClusterConfig) -> None:
    with gateway.connect(config) as pve:
        try:
            task = pve.task_status(operation.upid)
        except proxmox.NotFound:
            _settle(operation, pve, say("task-unknown"))
            return
        if task.running:
            finish_if_overdue(operation, say("task-still-runs"))
        elif task.succeeded:
            _settle_done(operation, pve, task)
        elif not finish_if_fulfilled(operation, pve, task.exit_status):
            _finish(operation, State.FAILED, _failure(task))


def is_overdue(operation: Operation) -> bool:
    since = operation.sent_at or operation.admitted_at
    return bool(since and since < timezone.now() - _kind(operation).timeout)


def pause_of(operation: Operation) -> timedelta:
    """How long until its task is asked for again."""
    since = operation.sent_at or operation.requested_at
    return max(MIN_PAUSE, min(MAX_PAUSE, (timezone.now() - since) / AGE_DIVISOR))


def running_on(node: str, config: ClusterConfig) -> set[str]:
    """The UPIDs that the node lists as running: one request, instead of one for each task."""
    with gateway.connect(config) as pve:
        return {task.upid for task in pve.active_tasks(node) if task.status.running}


def resolve(operation: Operation, config: ClusterConfig) -> None:
    """Find out what became of an operation whose response or worker was lost while it was sent."""
    with gateway.connect(config) as pve:
        if upid := _find_task(operation, config, pve):
            operation.advance(State.RUNNING, expected=State.SENT, upid=upid)
        else:
            _settle(operation, pve, say("reception-unknown"))


def finish_if_overdue(operation: Operation, why: str) -> None:
    if operation.is_open and is_overdue(operation):
        _finish(operation, State.UNKNOWN, say("look-first", why=why))


def finish_if_fulfilled(operation: Operation, pve: proxmox.Client, reason: str) -> bool:
    """Finish what the cluster refused because it is so already. Observes the machine in any case."""
    status = _observe(operation, pve)
    if operation.action == Operation.Action.DELETE_SNAPSHOT and SNAPSHOT_GONE.search(reason):
        _finish(operation, State.DONE, say("snapshot-gone"))
    elif ALREADY.search(reason) and status and status == _kind(operation).status:
        _finish(operation, State.DONE, say("already-so", status=sentences.status(status)))
    return not operation.is_open


def _kind(operation: Operation) -> Kind:
    return KINDS[operation.action]


def _failure(task: proxmox.TaskStatus) -> str:
    try:
        task.raise_if_failed()
    except proxmox.TaskFailed as failure:
        if failure.locked:
            return proxmox.Locked(reason=task.exit_status).plain
        return failures.explain(failure.plain, task.exit_status)
    return ""


def _settle_done(operation: Operation, pve: proxmox.Client, task: proxmox.TaskStatus) -> None:
    """Finish it when the machine has its status: tasks of reboots and of HA end before that."""
    kind, status = _kind(operation), _observe(operation, pve)
    is_of_ha = proxmox.parse_upid(operation.upid).type.startswith("ha")
    if (kind.status_follows_task or is_of_ha) and status != kind.status:
        if is_of_ha and not operation.is_handed_over:
            operation.advance(State.RUNNING, expected=State.RUNNING, **ended(say("ha-in-hand")))
        finish_if_overdue(
            operation,
            say("done-but", status=sentences.status(status) if status else say("not-there")),
        )
    else:
        warned = "" if task.exit_status == "OK" else say("done-with-warnings")
        _finish(operation, State.DONE, warned)


def _find_task(operation: Operation, config: ClusterConfig, pve: proxmox.Client) -> str:
    """The UPID of the operation's task, found by type, time and account. Empty when there is none."""
    sent_at = operation.sent_at
    if sent_at is None:
        return ""
    try:
        tasks = pve.guest_tasks(operation.vm.node if operation.vm else operation.node, operation.vmid)
    except (proxmox.NotFound, proxmox.PermissionMissing):
        return ""
    earliest = (sent_at - CLOCK_SKEW).timestamp()
    own = config.token_id or config.user
    likely = [
        task.upid
        for task in tasks
        if task.type in _kind(operation).tasks and task.user == own and task.started >= earliest
    ]
    others = set(Operation.objects.filter(upid__in=likely).values_list("upid", flat=True))
    return next((upid for upid in likely if upid not in others), "")


def _settle(operation: Operation, pve: proxmox.Client, why: str) -> None:
    """Finish an operation without a task: the machine's state may show that the goal is reached."""
    if _is_goal_reached(operation, pve):
        _finish(operation, State.DONE, say("goal-shows", why=why))
    elif operation.sent_at is None or operation.sent_at < timezone.now() - SETTLE_WITHIN:
        _finish(operation, State.UNKNOWN, say("look-first", why=why))


def _is_goal_reached(operation: Operation, pve: proxmox.Client) -> bool:
    kind, status = _kind(operation), _observe(operation, pve)
    if not kind.status_proves or not status:
        return False
    if kind.snapshot is None:
        return status == kind.status
    vm, sent_at = operation.vm, operation.sent_at
    if vm is None or sent_at is None:
        return False
    found = [one for one in pve.snapshots(vm.node, vm.kind, vm.vmid).all if one.name == operation.snapshot]
    if not kind.snapshot:
        return not found
    return any(one.taken >= (sent_at - CLOCK_SKEW).timestamp() for one in found)


def _observe(operation: Operation, pve: proxmox.Client) -> str:
    """Ask for the machine's status and save it. Empty when the machine is gone."""
    if operation.vm is None:
        return ""
    asked_at = timezone.now()
    try:
        found = pve.guest_status(operation.vm.node, operation.vm.kind, operation.vmid)
    except proxmox.NotFound:
        return ""
    operation.vm.observe(found.state, at=asked_at, lock=found.lock)
    return found.state


_MACHINE = CompiledUpdate(VirtualMachine)
_FREED = CompiledByKey(lambda pk: Preparation.objects.open().filter(operation=pk).values_list("pk"), key=SENTINEL_UUID)


def _finish(operation: Operation, state: str, outcome: str) -> None:
    """Finish it, and have the details that it may have changed read soon: addresses, snapshots."""
    with transaction.atomic():  # a worker may die in between
        is_over = operation.finish(state, outcome, expected=operation.state)
        if is_over and _kind(operation).refreshes_details and operation.vm_id:
            _MACHINE.update({"pk": operation.vm_id}, {"details_due_at": timezone.now()})
        if is_over and state == State.DONE:
            _record_snapshot(operation)
            _note_revert(operation)
            requesting.request_next(operation)
        if is_over and (freed := _FREED.first_raw(operation.pk)):
            transaction.on_commit(partial(enqueue.preparation, freed[0]), robust=True)


def _note_revert(operation: Operation) -> None:
    """The configuration is that of the snapshot again, with the password of its time."""
    if operation.action == Operation.Action.ROLLBACK and operation.vm_id:
        MadeMachine.objects.filter(vm=operation.vm_id).filter(password__isnull=False).update(password_is_written=False)


def _record_snapshot(operation: Operation) -> None:
    """Save or delete the row now: snapshots are read machine by machine, and a class may revert at once."""
    there, name = _kind(operation).snapshot, operation.snapshot
    if there is None or not operation.vm_id:
        return
    if there:
        about = {"description": operation.description, "taken_at": operation.sent_at}
        Snapshot.objects.get_or_create(vm_id=operation.vm_id, name=name, defaults=about)
    else:
        Snapshot.objects.filter(vm=operation.vm_id, name=name).delete()
