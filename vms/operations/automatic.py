"""Operations that no click asked for: requested by the portal in the name of somebody who may."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from accounts.models import User
from vms.access import rules
from vms.access.context import contexts_for
from vms.models import Operation, VirtualMachine
from vms.operations import enqueue, requesting
from vms.sentences import say

# Rows per statement: SQLite limits the number of values.
BATCH_SIZE = 50


@dataclass(frozen=True)
class Requested:
    """The new operations, and why the other machines got none, both by the machine's primary key."""

    operations: dict[int, Operation]
    refusals: dict[int, str]


def request_for(machines: Iterable[VirtualMachine], action: str, *, by: User, origin: str) -> Requested:
    """Record a request for each machine that the rules allow, in this order of admission.

    A machine with an operation in progress is refused, so that calling it twice requests nothing twice. The number of
    queries does not depend on the number of machines, which come with cluster and health selected.
    """
    machines = list(machines)
    contexts = contexts_for(machines, person=by)
    refusals = {one.pk: why for one in machines if (why := rules.refusal(contexts[one.pk], action))}
    wanted = [requesting.new_operation(one, action, by=by, origin=origin) for one in machines if one.pk not in refusals]
    with transaction.atomic():
        over = requesting.guarded(wanted)
        refusals |= {one.vm_id: over[one.pk] for one in wanted if one.pk in over and one.vm_id}
        wanted = [one for one in wanted if one.pk not in over]
        Operation.objects.bulk_create(wanted, ignore_conflicts=True, batch_size=BATCH_SIZE)
        recorded = set(Operation.objects.filter(pk__in=[one.pk for one in wanted]).values_list("pk", flat=True))
        for cluster_id in {one.cluster_id for one in wanted if one.pk in recorded}:
            transaction.on_commit(partial(enqueue.following, cluster_id), robust=True)
    refusals |= {one.vm_id: say("just-changed") for one in wanted if one.pk not in recorded and one.vm_id}
    return Requested({one.vm_id: one for one in wanted if one.pk in recorded and one.vm_id}, refusals)
