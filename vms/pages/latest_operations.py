"""The operation that a machine's card tells of: the newest command of the last hour."""

from datetime import datetime, timedelta

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from accounts.compiled_queries import SENTINEL_NUMBER, CompiledRows
from vms.models import Operation, VirtualMachine

# Cards show no older operations.
RECENT = timedelta(hours=1)


def recent_operations(now: datetime | None = None) -> QuerySet[Operation]:
    """The operations of the outer query's machine that its card can show."""
    since = (now or timezone.now()) - RECENT
    return Operation.objects.commands().filter(vm=OuterRef("pk"), requested_at__gt=since)


def _of_one(now: datetime, pk: int) -> QuerySet[Operation]:
    recent = Operation.objects.commands().filter(vm=pk, requested_at__gt=now - RECENT)
    return recent.order_by("-requested_at", "-pk")[:1]


_OF_ONE = CompiledRows(lambda _, now, pk: _of_one(now, pk), key=SENTINEL_NUMBER, of=SENTINEL_NUMBER)


def latest_operations(machines: list[VirtualMachine], now: datetime) -> dict[int, Operation]:
    """By the machine's primary key. For one, like a student's, the SQL is made once: a poll takes a third less."""
    if not machines:
        return {}
    if len(machines) == 1:
        found = _OF_ONE.rows(0, now, machines[0].pk)
    else:
        newest = recent_operations(now).order_by("-requested_at", "-pk").values("pk")[:1]
        keys = [machine.pk for machine in machines]
        wanted = VirtualMachine.objects.filter(pk__in=keys).values(newest=Subquery(newest))
        found = list(Operation.objects.filter(pk__in=wanted).order_by())
    return {op.vm_id: op for op in found if op.vm_id}
