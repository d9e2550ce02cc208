"""Requests an operation, and cancels it while it waits."""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from vms.access import machine_states, restore_points, rules
from vms.access.context import context_for
from vms.models import Operation, VirtualMachine
from vms.models.operations import ended
from vms.operations import enqueue
from vms.sentences import say

State, Action = Operation.State, Operation.Action

SNAPSHOT_ACTIONS = {Action.SNAPSHOT, Action.ROLLBACK, Action.DELETE_SNAPSHOT}
SNAPSHOT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
RESERVED_NAMES = {"current", "pending"}
MAX_DESCRIPTION = 500

# Operations of one person. Nobody clicks faster, and the requests of others wait behind them.
MAX_PER_MINUTE = 30


# What else decides on requested operations, in the transaction that records them, such as quotas: each returns refusals
# by primary key. Registered by who is above.
Guard = Callable[[list[Operation]], Mapping[uuid.UUID, str]]
guards: list[Guard] = []


class Refused(Exception):
    """The action cannot be requested now; the text says why, for the person who asked."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class TooMany(Refused):
    """The person requested too much within a minute."""


def request(
    machine: VirtualMachine,
    action: str,
    *,
    by: User,
    snapshot: str = "",
    description: str = "",
    then: str = "",
    unlimited: bool = False,
) -> tuple[Operation, bool]:
    """Record a person's request. Returns the operation, and whether it is new.

    `then` is the action that is requested in the same person's name when this one is done; see `request_next`.
    A request for what is in progress already returns that operation. Raises `Refused`. Without `unlimited`, a person
    who is not staff has a limit per minute. The caller found the machine through `operable_by(by)`.
    """
    if error := snapshot_error(action, snapshot, description):
        raise Refused(error)
    context = context_for(machine, person=by, snapshot=snapshot)
    busy = context.open_operation
    if busy and (busy.action, busy.snapshot) == (action, snapshot):
        return busy, False
    if reason := rules.refusal(context, action) or incomplete_snapshot(machine, action, snapshot):
        raise Refused(reason)
    if not unlimited and _is_over_limit(by):
        raise TooMany(_("You requested too much within a minute. Wait a moment."))
    if action == Action.RESET and machine.status != "running":
        then = Action.RESUME
    wanted = new_operation(machine, action, by=by, snapshot=snapshot, description=description, then=then)
    try:
        with transaction.atomic():
            if busy:
                why = say("ha-let-go") if busy.is_handed_over else say("cut-short")
                busy.finish(State.CANCELLED, why, expected=State.RUNNING)
            if over := guarded([wanted]).get(wanted.pk):
                raise Refused(over)
            wanted.save(force_insert=True)
            transaction.on_commit(partial(enqueue.operation, wanted.pk), robust=True)
            return wanted, True
    except IntegrityError:  # somebody else was faster
        return _existing(wanted, machine), False


def guarded(operations: list[Operation]) -> dict[uuid.UUID, str]:
    """The refusals of the guards, by primary key of the unsaved operations. In the transaction that records them."""
    refused: dict[uuid.UUID, str] = {}
    for guard in guards:
        refused |= guard([one for one in operations if one.pk not in refused])
    return refused


def incomplete_snapshot(machine: VirtualMachine, action: str, snapshot: str) -> str:
    """Why the machine cannot be reverted to this snapshot, or an empty string."""
    if action != Action.ROLLBACK or not machine.snapshots.filter(name=snapshot).exclude(state="").exists():
        return ""
    return say("snapshot-incomplete")


def request_next(done: Operation) -> None:
    """Request the action that follows this one. A refusal is recorded as a cancelled operation, which the person sees.

    A new restore point is saved while the old one exists, and the old one is deleted afterwards.
    """
    if not (done.then and done.vm and done.requested_by):
        return
    if done.then == Action.RESUME:
        _request_resume(done, done.vm, done.requested_by)
        return
    other = restore_points.other_name(done.snapshot)
    has_other = done.vm.snapshots.complete().filter(name=other).exists()
    if done.then == Action.DELETE_SNAPSHOT and not has_other:
        return
    snapshot = other if done.then == Action.DELETE_SNAPSHOT else done.snapshot
    after = Action.DELETE_SNAPSHOT if done.then == Action.SNAPSHOT and has_other else ""
    done.vm.lock = ""  # the last read may have seen what has just ended; what is locked anew the cluster refuses
    try:
        request(done.vm, done.then, by=done.requested_by, snapshot=snapshot, then=after, unlimited=True)
    except Refused as refusal:
        told = {"state": State.CANCELLED, "finished_at": timezone.now(), **ended(refusal.text)}
        new_operation(done.vm, done.then, by=done.requested_by, snapshot=snapshot, then=after, **told).save()


def _request_resume(done: Operation, vm: VirtualMachine, by: User) -> None:
    """After a crash, a reset machine waits before its first instruction, unless the cluster let it run."""
    if machine_states.state(vm.status).resumes:
        request(vm, Action.RESUME, by=by, unlimited=True)


def new_operation(machine: VirtualMachine, action: str, *, by: User, **more: Any) -> Operation:
    """An unsaved operation. The names of machine and person are copied: the row outlives both."""
    return Operation(
        vm=machine,
        cluster_id=machine.cluster_id,
        vmid=machine.vmid,
        vm_name=machine.name,
        action=action,
        requested_by=by,
        requested_by_name=by.get_username(),
        **more,
    )


def _is_over_limit(by: User) -> bool:
    """Two requests at the same moment may both pass: this is a rate limit, not a quota.

    Batches have a limit of their own, and operations of preparations have none.
    """
    if by.is_staff:
        return False
    since = timezone.now() - timedelta(minutes=1)
    alone = {"batch_items": None, "preparations": None}
    lately = Operation.objects.commands().filter(requested_by=by, requested_at__gt=since, **alone)
    return bool(lately.order_by()[:MAX_PER_MINUTE].count() >= MAX_PER_MINUTE)


def _existing(wanted: Operation, machine: VirtualMachine) -> Operation:
    same = {"vm": machine.pk, "action": wanted.action, "snapshot": wanted.snapshot}
    if first := Operation.objects.open().filter(**same).first():
        return first
    reason = rules.refusal(context_for(machine), wanted.action)
    raise Refused(reason or say("just-changed")) from None


def snapshot_error(action: str, snapshot: str, description: str) -> str:
    """Why this name or description of a snapshot is refused, or an empty string."""
    if elsewhere := _requested_elsewhere(action):
        return elsewhere
    if action not in SNAPSHOT_ACTIONS:
        return _("This action takes no snapshot name.") if snapshot or description else ""
    if not SNAPSHOT_NAME.fullmatch(snapshot):
        return _("Choose a name of 2 to 40 letters, digits, hyphens or underscores, beginning with a letter.")
    if snapshot in RESERVED_NAMES:
        return _("The name “%(snapshot)s” is reserved. Choose another name.") % {"snapshot": snapshot}
    if len(description) > MAX_DESCRIPTION:
        return _("The description is longer than %(most)s characters. Shorten it.") % {"most": MAX_DESCRIPTION}
    return ""


def _requested_elsewhere(action: str) -> str:
    if action == Action.CONSOLE:
        return _("Consoles can only be opened from a console page.")
    if action in Operation.OF_PROVISIONING:
        return _("Machines are made and removed on the pages of their class.")
    return ""


def cancel(operation: Operation, *, by: User) -> bool:
    """Cancel an operation that waits for admission. False when it was admitted or finished meanwhile."""
    cancelled = Operation.objects.waiting().filter(pk=operation.pk)
    outcome = ended(say("cancelled-by", name=by.get_username()))
    done = cancelled.order_by().update(state=State.CANCELLED, finished_at=timezone.now(), **outcome)
    if done:
        operation.refresh_from_db()
    return bool(done)
