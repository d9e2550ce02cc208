"""Write a plan that was shown: all of it, or nothing."""

from auditlog.models import LogEntry
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from vms import preparation
from vms.bulk_assignment.lookup import Scope
from vms.bulk_assignment.plan import Plan, plan
from vms.bulk_assignment.sources import Source
from vms.models import Assignment


class PlanChanged(Exception):
    """What the plan rests on changed between the preview and now."""

    def __init__(self) -> None:
        super().__init__(_("People, machines or assignments changed after this preview. Look at the new one."))


class Overtaken(PlanChanged):
    """The database refused, because somebody else gave one of the machines away at the same moment."""

    def __init__(self) -> None:
        Exception.__init__(
            self, _(
                "Somebody assigned one of these machines at the same moment. Nothing was changed: look "
                "at the new preview."
            )
        )  # fmt: skip


def apply(
    source: Source, *, end_first: bool, expected: str, by: User, scope: Scope | None = None, way: str = ""
) -> Plan:
    """`expected` is the digest of the plan that was shown; anything else is `PlanChanged`."""
    try:
        with transaction.atomic():
            fresh = plan(source, end_first=end_first, scope=scope, way=way)
            if fresh.digest != expected:
                raise PlanChanged
            _write(fresh, by)
    except IntegrityError:  # the constraint has the last word: one live assignment a machine
        raise Overtaken from None
    return fresh


def _write(fresh: Plan, by: User) -> None:
    """Machines that are taken from somebody go to the next person as soon as they are ready."""
    later = {row.vm: row.user for row in fresh.given if row.ends}
    taken = Assignment.objects.filter(pk__in=[row.ends for row in fresh.given if row.ends])
    if len(preparation.free(taken, way=fresh.way, by=by, reserved=later)) != len(later):
        raise PlanChanged
    back = [row.back for row in fresh.given if row.back]
    if preparation.restore(Assignment.objects.filter(pk__in=back)) != len(back):
        raise PlanChanged
    now = timezone.now()
    at_once = [row for row in fresh.given if not row.ends and not row.back]
    made = Assignment.objects.bulk_create(
        [Assignment(vm_id=row.vm, user_id=row.user, assigned_at=now) for row in at_once], batch_size=500
    )
    rows = Assignment.objects.filter(pk__in=[row.pk for row in made]).select_related("vm", "user")
    audit.record_many(
        ((row, {"vm": (None, row.vm), "user": (None, row.user)}) for row in rows), action=LogEntry.Action.CREATE
    )
