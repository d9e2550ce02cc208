"""Write a plan that was shown: all of it, or nothing."""

from auditlog.models import LogEntry
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import trail
from vms.assigning.lookup import Scope
from vms.assigning.plan import Plan, plan
from vms.assigning.sources import Source
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


def apply(source: Source, *, end_first: bool, expected: str, scope: Scope | None = None) -> Plan:
    """`expected` is the digest of the plan that was shown; anything else is `PlanChanged`."""
    try:
        with transaction.atomic():
            fresh = plan(source, end_first=end_first, scope=scope)
            if fresh.digest != expected:
                raise PlanChanged
            _write(fresh)
    except IntegrityError:  # the constraint has the last word: one live assignment a machine
        raise Overtaken from None
    return fresh


def _write(fresh: Plan) -> None:
    ends = [row.ends for row in fresh.given if row.ends]
    if Assignment.objects.filter(pk__in=ends).end() != len(ends):
        raise PlanChanged
    now = timezone.now()
    made = Assignment.objects.bulk_create(
        [Assignment(vm_id=row.vm, user_id=row.user, assigned_at=now) for row in fresh.given], batch_size=500
    )
    rows = Assignment.objects.filter(pk__in=[row.pk for row in made]).select_related("vm", "user")
    trail.record_many(
        ((row, {"vm": (None, row.vm), "user": (None, row.user)}) for row in rows), action=LogEntry.Action.CREATE
    )
