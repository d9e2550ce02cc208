"""What became of what was sent: followed by its task, or found out by looking."""

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms.models import Operation, Preparation, Snapshot, VirtualMachine
from vms.operations import enqueue, requesting
from vms.operations.kinds import KINDS, Kind

State = Operation.State

# What was perhaps received may still take effect this long.
SETTLE_WITHIN = timedelta(minutes=1)

# By so much the clocks of the portal and of a node may differ.
SKEW = timedelta(minutes=2)

LOOK = gettext_noop("%(why)s Look at the machine before you try again.")


def follow(operation: Operation, config: ClusterConfig) -> None:
    with gateway.connect(config) as pve:
        try:
            task = pve.task_status(operation.upid)
        except proxmox.NotFound:
            _settle(operation, pve, gettext_noop("The cluster does not know the task any more."))
            return
        if task.running:
            give_up_late(operation, gettext_noop("The task still runs on the cluster."))
        elif task.succeeded:
            _settle_done(operation, pve, task)
        else:
            _observe(operation, pve)
            _end(operation, State.FAILED, _failure(task))


def look(operation: Operation, config: ClusterConfig) -> None:
    """It was being sent when the answer or the worker was lost: its task tells, or else the machine."""
    with gateway.connect(config) as pve:
        if upid := _lost_task(operation, config, pve):
            operation.advance(State.RUNNING, expected=State.SENT, upid=upid)
        else:
            _settle(operation, pve, gettext_noop("It is not known whether the cluster received this."))


def give_up_late(operation: Operation, why: str) -> None:
    since = operation.sent_at or operation.admitted_at
    if operation.is_open and since and since < timezone.now() - _kind(operation).patience:
        _end(operation, State.UNKNOWN, LOOK % {"why": why})


def _kind(operation: Operation) -> Kind:
    return KINDS[operation.action]


def _failure(task: proxmox.TaskStatus) -> str:
    try:
        task.raise_if_failed()
    except proxmox.TaskFailed as failure:
        return proxmox.Locked(reason=task.exit_status).plain if failure.locked else failure.plain
    return ""


def _settle_done(operation: Operation, pve: proxmox.Client, task: proxmox.TaskStatus) -> None:
    """The task of a reboot ends when the machine is down, and one of HA when the wish was heard."""
    kind, status = _kind(operation), _observe(operation, pve)
    later = kind.later or proxmox.parse_upid(operation.upid).type.startswith("ha")
    if later and status != kind.status:
        give_up_late(
            operation,
            gettext_noop("The cluster took the task as done, but the machine is %(status)s.")
            % {"status": status or gettext_noop("not there")},
        )
    else:
        warned = (
            ""
            if task.exit_status == "OK"
            else gettext_noop("It was done, with warnings: the task's log on the cluster tells.")
        )
        _end(operation, State.DONE, warned)


def _lost_task(operation: Operation, config: ClusterConfig, pve: proxmox.Client) -> str:
    """The UPID of the task that this has become, by type, time and account. Empty when there is none."""
    sent_at = operation.sent_at
    if sent_at is None:
        return ""
    try:
        tasks = pve.guest_tasks(operation.vm.node if operation.vm else operation.node, operation.vmid)
    except (proxmox.NotFound, proxmox.PermissionMissing):
        return ""
    earliest = (sent_at - SKEW).timestamp()
    own = config.token_id or config.user
    likely = [
        task.upid
        for task in tasks
        if task.type in _kind(operation).tasks and task.user == own and task.started >= earliest
    ]
    others = set(Operation.objects.filter(upid__in=likely).values_list("upid", flat=True))
    return next((upid for upid in likely if upid not in others), "")


def _settle(operation: Operation, pve: proxmox.Client, why: str) -> None:
    """Nobody can tell what became of it, but the machine's state may show that the goal was reached."""
    if _goal_shows(operation, pve):
        _end(operation, State.DONE, gettext_noop("%(why)s The machine's state shows that it was done.") % {"why": why})
    elif operation.sent_at is None or operation.sent_at < timezone.now() - SETTLE_WITHIN:
        _end(operation, State.UNKNOWN, LOOK % {"why": why})


def _goal_shows(operation: Operation, pve: proxmox.Client) -> bool:
    kind, status = _kind(operation), _observe(operation, pve)
    if not kind.shows or not status:
        return False
    if kind.snapshot is None:
        return status == kind.status
    vm, sent_at = operation.vm, operation.sent_at
    if vm is None or sent_at is None:
        return False
    found = [one for one in pve.snapshots(vm.node, vm.kind, vm.vmid).all if one.name == operation.snapshot]
    if not kind.snapshot:
        return not found
    return any(one.taken >= (sent_at - SKEW).timestamp() for one in found)


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


def _end(operation: Operation, state: str, outcome: str) -> None:
    """End it. What it may have changed besides the status is asked for soon: addresses, snapshots."""
    with transaction.atomic():  # no gap into which a worker may die
        ended = operation.finish(state, outcome, expected=operation.state)
        if ended and _kind(operation).renews and operation.vm_id:
            VirtualMachine.objects.filter(pk=operation.vm_id).update(details_due_at=timezone.now())
        if ended and state == State.DONE:
            _note_snapshot(operation)
            requesting.request_next(operation)
        if ended and (freed := Preparation.objects.open().filter(operation=operation).first()):
            transaction.on_commit(partial(enqueue.preparation, freed.pk), robust=True)


def _note_snapshot(operation: Operation) -> None:
    """Lists are asked for machine by machine, and a class that has just saved its machines may go back at once."""
    there, name = _kind(operation).snapshot, operation.snapshot
    if there is None or not operation.vm_id:
        return
    if there:
        about = {"description": operation.description, "taken_at": operation.sent_at}
        Snapshot.objects.get_or_create(vm_id=operation.vm_id, name=name, defaults=about)
    else:
        Snapshot.objects.filter(vm=operation.vm_id, name=name).delete()
