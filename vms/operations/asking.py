"""What people ask for, and take back while it waits."""

import re
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from vms import rules
from vms.models import Operation, VirtualMachine
from vms.operations import handing

State, Action = Operation.State, Operation.Action

ABOUT_SNAPSHOTS = {Action.SNAPSHOT, Action.ROLLBACK, Action.DELETE_SNAPSHOT}
SNAPSHOT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
RESERVED = {"current", "pending"}
LONGEST_DESCRIPTION = 500

# By one person. Nobody clicks as fast, and everybody else's requests wait behind these.
MOST_IN_A_MINUTE = 30


class Refused(Exception):
    """The action cannot be requested now; the text says why, for the person who asked."""


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
    """Record that a person wants this done. Returns the operation and whether it is new.

    `then` is what is requested when this is done, in the same person's name and with the same snapshot.
    A second request while the same is under way gets the first one. Raises `Refused`.
    Who is not staff has a limit by the minute, unless the caller says that this is one of many that belong together.
    The caller has found the machine through `operable_by(by)`, so that a foreign one is not there at all.
    """
    if wrong := _wrong_words(action, snapshot, description):
        raise Refused(wrong)
    now = rules.situation(machine, person=by, snapshot=snapshot)
    if now.open_operation and (now.open_operation.action, now.open_operation.snapshot) == (action, snapshot):
        return now.open_operation, False
    if reason := rules.why_not(now, action):
        raise Refused(reason)
    if not unlimited and _asks_too_much(by):
        raise Refused("You have asked for very much within a minute. Wait a moment.")
    wanted = _row(machine, action, by=by, snapshot=snapshot, description=description, then=then)
    try:
        with transaction.atomic():
            wanted.save(force_insert=True)
            transaction.on_commit(partial(handing.operation, wanted), robust=True)
            return wanted, True
    except IntegrityError:  # somebody was faster, and the constraint kept it to one
        return _the_first(wanted, machine), False


def go_on(done: Operation) -> None:
    """Request what was to come after this. If that is refused now, the refusal is kept where the person looks."""
    if not (done.then and done.vm and done.requested_by):
        return
    done.vm.lock = ""  # the last read may have seen what has just ended; what is locked anew the cluster refuses
    try:
        words = {"snapshot": done.snapshot, "description": done.description}
        request(done.vm, done.then, by=done.requested_by, **words, unlimited=True)
    except Refused as refusal:
        told = {"state": State.CANCELLED, "outcome": str(refusal)[:500], "finished_at": timezone.now()}
        _row(done.vm, done.then, by=done.requested_by, snapshot=done.snapshot, **told).save()


def _row(machine: VirtualMachine, action: str, *, by: User, **more: Any) -> Operation:
    """Not saved yet. What identifies machine and person is copied: the row outlives both."""
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


def _asks_too_much(by: User) -> bool:
    """Two requests at the same moment may both be the last one: this is against floods, and not a quota."""
    if by.is_staff:
        return False
    since = timezone.now() - timedelta(minutes=1)
    lately = Operation.objects.commands().filter(requested_by=by, requested_at__gt=since)
    return bool(lately.order_by()[:MOST_IN_A_MINUTE].count() >= MOST_IN_A_MINUTE)


def _the_first(wanted: Operation, machine: VirtualMachine) -> Operation:
    same = {"vm": machine.pk, "action": wanted.action, "snapshot": wanted.snapshot}
    if first := Operation.objects.open().filter(**same).first():
        return first
    reason = rules.why_not(rules.situation(machine), wanted.action)
    raise Refused(reason or "The machine has just changed. Look at it again.") from None


def _wrong_words(action: str, snapshot: str, description: str) -> str:
    """Why this cannot be the name or the description of a snapshot, or nothing."""
    if action == Action.CONSOLE:
        return "A console is opened, not requested."
    if action not in ABOUT_SNAPSHOTS:
        return "This action has no snapshot." if snapshot or description else ""
    if not SNAPSHOT_NAME.fullmatch(snapshot):
        return (
            "A snapshot's name begins with a letter and has 2 to 40 letters, digits, hyphens and underscores. "
            "Choose another name."
        )
    if snapshot in RESERVED:
        return f"The name “{snapshot}” is reserved. Choose another name."
    if len(description) > LONGEST_DESCRIPTION:
        return f"The description is longer than {LONGEST_DESCRIPTION} characters. Shorten it."
    return ""


def cancel(operation: Operation, *, by: User) -> bool:
    """Take back what still waits for its turn. False when it was let through, or ended, meanwhile."""
    cancelled = Operation.objects.waiting().filter(pk=operation.pk)
    outcome = f"Cancelled by {by.get_username()} while it waited for its turn."
    done = cancelled.order_by().update(state=State.CANCELLED, outcome=outcome, finished_at=timezone.now())
    if done:
        operation.refresh_from_db()
    return bool(done)
