"""Writes a plan that was shown: all of it, or nothing."""

from auditlog.models import LogEntry
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.plans import PlanChanged, carry_out
from vms import preparation
from vms.bulk_assignment.planning import AssignmentPlan, plan
from vms.bulk_assignment.sources import Source
from vms.models import Assignment


def apply(source: Source, *, end_first: bool, expected: str, by: User, way: str = "") -> AssignmentPlan:
    """`expected` is the digest of the plan that was shown; anything else is `PlanChanged`."""
    return carry_out(
        lambda: plan(source, end_first=end_first, way=way), lambda fresh: write(fresh, by), expected=expected
    )


def write(fresh: AssignmentPlan, by: User) -> None:
    """Machines that are taken from somebody go to the next person as soon as they are ready.

    The constraint has the last word: one live assignment a machine. Raises `PlanChanged` or `IntegrityError`.
    """
    later = {row.vm: row.user for row in fresh.written if row.ends}
    taken = Assignment.objects.filter(pk__in=[row.ends for row in fresh.written if row.ends])
    if len(preparation.free(taken, way=fresh.way, by=by, reserved=later)) != len(later):
        raise PlanChanged
    back = [row.back for row in fresh.written if row.back]
    if preparation.restore(Assignment.objects.filter(pk__in=back)) != len(back):
        raise PlanChanged
    now = timezone.now()
    at_once = [row for row in fresh.written if not row.ends and not row.back]
    made = Assignment.objects.bulk_create(
        [Assignment(vm_id=row.vm, user_id=row.user, assigned_at=now) for row in at_once], batch_size=500
    )
    rows = Assignment.objects.filter(pk__in=[row.pk for row in made]).select_related("vm", "user")
    audit.record_many(
        ((row, {"vm": (None, row.vm), "user": (None, row.user)}) for row in rows), action=LogEntry.Action.CREATE
    )
