"""Taking machines from people: by a person's choice, which frees them, or by itself, which keeps them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from vms.models import Assignment, Operation, Preparation
from vms.models.assignments import AssignmentQuerySet
from vms.operations import enqueue
from vms.preparation import outlook, steps
from vms.preparation.outlook import Outlook

Way, State = Preparation.Way, Preparation.State


class Changed(Exception):
    """What the person was shown is not so any more. Nothing was written."""


def free(
    assignments: AssignmentQuerySet,
    *,
    way: str,
    by: User,
    shown: str | None = None,
    reserved: Mapping[int, int] | None = None,
) -> list[Preparation]:
    """End these, and have their machines prepared as `by` chose; an empty `way` is the setting of the class.

    Those that are being prepared already are passed over. `shown` is the digest of what the person saw: anything else
    raises `Changed`. `reserved` says who gets a machine afterwards, by primary keys. In the caller's transaction.
    """
    with transaction.atomic():
        locked = assignments.unreleased().order_by("pk").select_for_update(of=("self",))
        rows = Assignment.objects.filter(pk__in=[row.pk for row in locked])
        found = [one for one in outlook.of(rows) if not one.is_under_way]
        if shown is not None and outlook.digest(found) != shown:
            raise Changed
        rows.end()
        busy = Operation.objects.open().filter(vm__in=[one.machine.pk for one in found])
        busy_machines = set(busy.order_by().values_list("vm", flat=True))
        wanted = [_wanted(one, way=way, by=by, reserved=reserved or {}) for one in found]
        for preparation, one in zip(wanted, found, strict=True):
            preparation.save(force_insert=True)
            _begin(preparation, one, is_busy=one.machine.pk in busy_machines)
        return wanted


def _wanted(found: Outlook, *, way: str, by: User, reserved: Mapping[int, int]) -> Preparation:
    fits = found.way(way)
    return Preparation(
        assignment=found.assignment,
        way=fits,
        baseline=found.baseline.name if found.baseline else "",
        points=found.going(fits),
        reserved_for_id=reserved.get(found.machine.pk) or _reserved_before(found),
        asked_by=by,
        asked_by_name=by.get_username(),
    )


def _begin(wanted: Preparation, found: Outlook, *, is_busy: bool) -> None:
    if _needs_nothing(found, wanted, is_busy=is_busy):
        steps.succeed(wanted)
    else:
        transaction.on_commit(partial(enqueue.preparation, wanted.pk), robust=True)


def _reserved_before(found: Outlook) -> int | None:
    return found.failed.reserved_for_id if found.failed else None


def _needs_nothing(found: Outlook, wanted: Preparation, *, is_busy: bool) -> bool:
    """A machine that is gone, and one that goes on as it is."""
    if found.machine.gone_at:
        return True
    return wanted.way == Way.AS_IT_IS and not (wanted.points or is_busy)


def unreserve(assignments: AssignmentQuerySet, *, person: int | None = None) -> None:
    """Whoever, or this person, was to get one of these machines when it is ready does not get it any more."""
    promised = Preparation.objects.filter(assignment__in=assignments.unreleased().order_by().values("pk"))
    wanted = promised.filter(reserved_for=person) if person else promised.exclude(reserved_for=None)
    wanted.order_by().update(reserved_for=None)


def keep(assignments: AssignmentQuerySet) -> int:
    """Take machines from their people without anybody's choice: they stay as they are, for nobody else."""
    return assignments.live().end(kept_until=_later())


def keep_longer(assignments: AssignmentQuerySet) -> int:
    """Those that are kept, so many days more from now."""
    kept = assignments.unreleased().exclude(kept_until=None)
    return kept.order_by().update(kept_until=_later())


def _later() -> datetime:
    return timezone.now() + timedelta(days=settings.KEEP_MACHINES_DAYS)


def give_back(assignments: AssignmentQuerySet) -> int:
    """Let people have again what is kept for them. What somebody freed meanwhile stays so.

    They have had it all the time: what was saved before the break is theirs, and goes when the machine is freed.
    """
    given = 0
    with transaction.atomic():
        kept = assignments.unreleased().filter(user__is_active=True).exclude(kept_until=None)
        locked = list(kept.select_for_update(of=("self",)))
        # Looked for when nobody else can free them any more.
        freed = set(Preparation.objects.filter(assignment__in=locked).values_list("assignment", flat=True))
        for row in locked:
            if row.pk in freed:
                continue
            Assignment.objects.filter(pk=row.pk).update(released_at=timezone.now())
            Assignment.objects.create(vm_id=row.vm_id, user_id=row.user_id, assigned_at=row.assigned_at)
            given += 1
    return given
