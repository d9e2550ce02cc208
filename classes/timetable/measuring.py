"""Learns how long machines take to start, from starts that were carried out."""

from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from classes.models import MeasuredStart
from classes.timetable.bell import MEASURED_STARTS
from vms.models import Operation

# A machine that has no address after this is measured by the end of its start alone: it may have no guest agent.
WITHOUT_ADDRESS = timedelta(minutes=5)

# Older starts are not looked at any more.
MEASURED_WITHIN = timedelta(minutes=20)

# Longer than any start: the machine waited for something else, for instance for a person.
LONGEST = timedelta(minutes=10)


def measure_starts() -> int:
    """Measure what was started lately, once each. Returns how many were measured."""
    now = timezone.now()
    starts = Operation.objects.filter(
        action=Operation.Action.START,
        state=Operation.State.DONE,
        requested_at__gt=now - MEASURED_WITHIN,
        measured_start=None,
        vm__class_machine__isnull=False,
    )
    found = [
        MeasuredStart(vm=start.vm, operation=start, seconds=span.total_seconds(), at=now)
        for start in starts.select_related("vm")
        if (span := _span(start)) is not None and span <= LONGEST
    ]
    MeasuredStart.objects.bulk_create(found, ignore_conflicts=True)
    _forget_old({start.vm_id for start in found})
    return len(found)


def _span(start: Operation) -> timedelta | None:
    """From its sending until the machine was seen with an address. None: not known yet."""
    machine = start.vm
    if machine is None or start.sent_at is None or start.finished_at is None or machine.status != "running":
        return None
    if machine.addresses and machine.details_at and machine.details_at > start.sent_at:
        return max(machine.details_at, start.finished_at) - start.sent_at
    is_late = timezone.now() > start.finished_at + WITHOUT_ADDRESS
    return start.finished_at - start.sent_at if is_late else None


def _forget_old(machines: set[int]) -> None:
    many = MeasuredStart.objects.filter(vm__in=machines).order_by().values("vm").annotate(starts=Count("pk"))
    for entry in many.filter(starts__gt=MEASURED_STARTS):
        of_machine = MeasuredStart.objects.filter(vm=entry["vm"]).order_by("-at", "-pk")
        kept = list(of_machine.values_list("pk", flat=True)[:MEASURED_STARTS])
        MeasuredStart.objects.filter(vm=entry["vm"]).exclude(pk__in=kept).delete()
