"""The steps of a preparation, one operation after the other. A worker takes them; any may take over from a dead one."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_noop

from accounts.models import User
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.access import machine_rules, restore_points, rules
from vms.access.context import context_for
from vms.inventory import identity
from vms.inventory.snapshots import write_snapshots
from vms.models import Assignment, Operation, Preparation, VirtualMachine, people_without_grant
from vms.operations import enqueue, requesting
from vms.preparation import cleanup
from vms.preparation.cleanup import Point

logger = logging.getLogger(__name__)

Action, State, Way = Operation.Action, Preparation.State, Preparation.Way

# What stands in the way is waited for so long, from the choice or the latest step on. Then somebody decides anew.
PATIENCE = timedelta(minutes=15)
AGAIN = timedelta(seconds=3)
TAKE_UP = timedelta(seconds=10)

# What is told that machines were released, by their primary keys.
RELEASED: list[Callable[[list[int]], object]] = []

GONE = gettext_noop("The cluster does not have this machine any more.")
NO_BASELINE = gettext_noop("The machine has no snapshot “%(name)s”.")
UNSHOWN = gettext_noop("It has restore points that were not shown: %(names)s. Look at them, and choose again.")
NOT_RUNNING = gettext_noop("The machine is %(status)s, so it cannot be shut down.")
SLEEPS = gettext_noop("It sleeps, and would wake with the screen of the last person. Start it, and choose again.")
SWITCHED_OFF = gettext_noop("The cluster was switched off meanwhile.")


def sweep() -> None:
    """Hand what is due to the engine, whatever became of the engine's own memory."""
    now = timezone.now()
    for pk in list(Preparation.objects.due(now).values_list("pk", flat=True)):
        if Preparation.objects.free(now).filter(pk=pk, next_look_at__lte=now).update(next_look_at=now + TAKE_UP):
            enqueue.preparation(pk)


def work_on(preparation: Preparation) -> None:
    """Take one step, if nobody else holds it and none is under way."""
    if not preparation.claim(timezone.now()):
        return
    try:
        with translation.override(None):  # what is said is stored
            _step(preparation, registry.get(preparation.assignment.vm.cluster_id))
    except registry.UnknownCluster:
        preparation.finish(State.FAILED, SWITCHED_OFF)
    except proxmox.NotFound:
        preparation.finish(State.FAILED, GONE)
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", preparation, error.plain)
        _wait(preparation, error.plain)
    finally:
        preparation.release_lease(look_again_in=AGAIN)


def _step(preparation: Preparation, config: ClusterConfig) -> None:
    done = preparation.operation
    if done and done.is_open:
        return
    if done and done.state != Operation.State.DONE:
        preparation.finish(State.FAILED, done.outcome)
    elif done and done.action in {Action.ROLLBACK, Action.SHUTDOWN}:
        succeed(preparation)
    elif wanted := _next(preparation, config):
        _ask(preparation, *wanted)


def _next(preparation: Preparation, config: ClusterConfig) -> tuple[str, str] | None:
    """The next action, and the snapshot that it is about. None when there is none, which was written down."""
    vm = preparation.assignment.vm
    if reason := machine_rules.nothing_under_way(context_for(vm), ""):
        _wait(preparation, reason)
        return None
    with gateway.connect(config) as pve:
        if not identity.confirm(pve, vm):
            preparation.finish(State.FAILED, identity.ANOTHER)
            return None
        listed = pve.snapshots(vm.node, vm.kind, vm.vmid)
        asked_at = timezone.now()
        status = pve.guest_status(vm.node, vm.kind, vm.vmid)
    with transaction.atomic():
        write_snapshots(vm.pk, listed)
    names = {one.name for one in listed.all}
    going = _going(preparation, listed)
    unshown = [name for name in going if name not in preparation.points and name not in restore_points.NAMES]
    if preparation.way == Way.REVERT and preparation.baseline not in names:
        preparation.finish(State.FAILED, NO_BASELINE % {"name": preparation.baseline})
    elif unshown:
        preparation.finish(State.FAILED, UNSHOWN % {"names": ", ".join(unshown)})
    elif status.lock == machine_rules.SUSPENDED_TO_DISK and preparation.way != Way.AS_IT_IS:
        preparation.finish(State.FAILED, SLEEPS)
    elif going:
        return Action.DELETE_SNAPSHOT, going[0]
    elif preparation.way == Way.REVERT:
        return Action.ROLLBACK, preparation.baseline
    elif preparation.way == Way.AS_IT_IS or status.status == "stopped":
        vm.observe("paused" if status.qmp_status == "paused" else status.status, at=asked_at)
        succeed(preparation)
    elif status.qmp_status == "paused":
        preparation.finish(State.FAILED, NOT_RUNNING % {"status": gettext_noop("paused")})
    else:
        vm.observe(status.status, at=asked_at)
        return Action.SHUTDOWN, ""
    return None


def _going(preparation: Preparation, listed: proxmox.Snapshots) -> list[str]:
    found = (
        Point(one.name, one.parent, datetime.fromtimestamp(one.taken, UTC) if one.taken else None) for one in listed.all
    )
    since = preparation.assignment.assigned_at
    return cleanup.going(found, way=preparation.way, baseline=preparation.baseline, since=since)


def _ask(preparation: Preparation, action: str, snapshot: str) -> None:
    """Request one operation in the name of whoever chose, or wait for what stands in its way at the moment."""
    vm, person = preparation.assignment.vm, preparation.asked_by
    if person is None or not person.is_active:
        preparation.finish(State.FAILED, Operation.UNASSIGNED)
        return
    if preparation.operation:
        vm.lock = ""  # the last read may have seen the step that has just ended; the cluster refuses what is locked
    context = context_for(vm, person=person, snapshot=snapshot)
    if reason := rules.refusal_when_sent(context, action):
        preparation.finish(State.FAILED, reason)
        return
    try:
        with transaction.atomic():  # no gap into which a worker may die
            operation, _new = requesting.request(vm, action, by=person, snapshot=snapshot, unlimited=True)
            preparation.advance(operation=operation)
    except requesting.Refused as refusal:
        _wait(preparation, str(refusal))


def _wait(preparation: Preparation, why: str) -> None:
    before = preparation.operation.finished_at if preparation.operation else None
    if (before or preparation.asked_at) < timezone.now() - PATIENCE:
        preparation.finish(State.FAILED, why)


def succeed(preparation: Preparation) -> None:
    """Release the machine, to the person for whom it is reserved if there is one."""
    with transaction.atomic():
        if not preparation.finish(State.DONE):
            return
        preparation.refresh_from_db(fields=["reserved_for"])  # it may have been taken back meanwhile
        held = preparation.assignment
        Assignment.objects.filter(pk=held.pk, released_at=None).update(released_at=timezone.now())
        Operation.objects.filter(vm=held.vm_id).dismiss()
        if preparation.reserved_for_id:
            _give(held.vm, preparation.reserved_for_id)
        transaction.on_commit(partial(tell_released, [held.vm_id]), robust=True)


def _give(vm: VirtualMachine, person: int) -> None:
    """Who may not have it any more does not get it; whoever waits does."""
    if not User.objects.filter(pk=person, is_active=True).exists() or people_without_grant([(vm.pk, person)]):
        return
    try:
        with transaction.atomic():
            Assignment.objects.create(vm=vm, user_id=person)
    except IntegrityError:
        logger.warning("%s was given away while it was being released", vm)


def tell_released(machines: list[int]) -> None:
    for listener in RELEASED:
        listener(machines)
