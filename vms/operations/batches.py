"""One action for many machines: checked and recorded together, then carried out like any other operation."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from vms.access import rules
from vms.access.context import ActionContext, contexts_for
from vms.models import Batch, BatchItem, MachineSet, Operation, Snapshot, VirtualMachine
from vms.models.batches import BATCH_ACTIONS
from vms.operations import enqueue, requesting
from vms.operations.requesting import Refused
from vms.sentences import say

Action = Operation.Action

MAX_MACHINES = 500

# Batches of one person who is not staff.
MAX_PER_MINUTE = 6

# Rows per statement: SQLite limits the number of values.
BATCH_SIZE = 50


def request_many(
    machines: Iterable[VirtualMachine],
    action: str,
    *,
    by: User,
    machine_set: MachineSet | None = None,
    snapshot: str = "",
    description: str = "",
) -> Batch:
    """Record a request for each of these machines; each machine may be refused on its own. Raises `Refused` for all.

    A machine with the same action in progress gets that operation. The number of queries does not depend on the number
    of machines, which come with cluster and health selected. The caller found the machines through `operable_by(by)`.
    """
    machines = list(machines)
    if refusal := _refusal(machines, action, by=by, snapshot=snapshot, description=description):
        raise Refused(refusal)
    batch = Batch(machine_set=machine_set, action=action, snapshot=snapshot, requested_by=by)
    batch.set_name = machine_set.title if machine_set else ""
    batch.requested_by_name = by.get_username()
    items = _items_for(batch, machines, by=by, description=description)
    with transaction.atomic():
        batch.save(force_insert=True)
        wanted = _record(items)
        for cluster_id in {operation.cluster_id for operation in wanted}:
            transaction.on_commit(partial(enqueue.following, cluster_id), robust=True)
    return batch


def _refusal(machines: list[VirtualMachine], action: str, *, by: User, snapshot: str, description: str) -> str:
    """Why the whole batch is refused, or an empty string."""
    if action not in BATCH_ACTIONS:
        return _("This action is not available for several machines at once.")
    if not machines:
        return _("No machine is selected. Select machines first.")
    if len(machines) > MAX_MACHINES:
        return _("Too many machines: at most %(most)d at a time. Select fewer.") % {"most": MAX_MACHINES}
    since = timezone.now() - timedelta(minutes=1)
    lately = Batch.objects.filter(requested_by=by, requested_at__gt=since)
    if not by.is_staff and lately.count() >= MAX_PER_MINUTE:
        return _("You requested too much within a minute. Wait a moment.")
    return requesting.snapshot_error(action, snapshot, description)


def _items_for(batch: Batch, machines: list[VirtualMachine], *, by: User, description: str) -> list[BatchItem]:
    """An item for each machine, with a new operation, with the one in progress, or with a refusal."""
    action, name = batch.action, batch.snapshot
    found = contexts_for(machines, person=by, snapshot=name)
    rows = Snapshot.objects.filter(vm__in=found, name=name).values_list("vm", "state") if name else ()
    saved: dict[int, str] = dict(rows)
    items = []
    for position, machine in enumerate(machines):
        item = BatchItem(batch=batch, position=position, machine=machine, machine_name=machine.display_name)
        context = found[machine.pk]
        if _is_under_way(context, batch):
            item.operation = context.open_operation
        elif reason := rules.refusal(context, action) or _snapshot_refusal(batch, saved.get(machine.pk)):
            item.refuse(reason)
        else:
            # Distinct times, so that they are admitted in the order in which they are listed.
            requested_at = batch.requested_at + timedelta(microseconds=position)
            words = {"snapshot": name, "description": description}
            item.operation = requesting.new_operation(machine, action, by=by, requested_at=requested_at, **words)
        items.append(item)
    return items


def _is_under_way(context: ActionContext, batch: Batch) -> bool:
    busy = context.open_operation
    return bool(context.may_operate and busy and (busy.action, busy.snapshot) == (batch.action, batch.snapshot))


def _snapshot_refusal(batch: Batch, state: str | None) -> str:
    """`state` is the snapshot's; None when the machine has none of this name."""
    if batch.action == Action.ROLLBACK and state is None:
        return say("no-such-snapshot", name=batch.snapshot)
    if batch.action == Action.ROLLBACK and state:
        return say("snapshot-incomplete")
    if batch.action == Action.SNAPSHOT and state is not None:
        return say("snapshot-exists", name=batch.snapshot)
    return ""


def _record(items: list[BatchItem]) -> list[Operation]:
    """Save the new operations. The constraint drops those of machines that somebody else was faster with."""
    new = {item.operation.pk: item.operation for item in items if item.operation and item.operation._state.adding}
    for refused, reason in requesting.guarded(list(new.values())).items():
        del new[refused]
        for item in items:
            if item.operation_id == refused:
                item.operation = None
                item.refuse(reason)
    Operation.objects.bulk_create(new.values(), ignore_conflicts=True, batch_size=BATCH_SIZE)
    recorded = set(Operation.objects.filter(pk__in=new).values_list("pk", flat=True))
    for item in items:
        if item.operation_id in new.keys() - recorded:
            item.operation = None
            item.refuse(say("just-changed"))
    BatchItem.objects.bulk_create(items, batch_size=BATCH_SIZE)
    return [new[pk] for pk in recorded]
