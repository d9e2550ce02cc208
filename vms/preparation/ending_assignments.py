"""Ends assignments: `free` by a person's choice, `keep` without one. Also keeps longer, and restores."""

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
from vms.preparation import outlook, preparing
from vms.preparation.outlook import Outlook

Way, State = Preparation.Way, Preparation.State


class Changed(Exception):
    """The facts that the person was shown have changed. Nothing was written."""


def free(
    assignments: AssignmentQuerySet,
    *,
    way: str,
    by: User,
    shown: str | None = None,
    reserved: Mapping[int, int] | None = None,
) -> list[Preparation]:
    """End these, and have their machines prepared as `by` chose; an empty `way` means the setting of the class.

    Those with an open preparation are skipped. `shown` is the digest of what the person saw; another one raises
    `Changed`. `reserved` maps machines to the people who get them afterwards, by primary keys. Runs in a transaction.
    """
    with transaction.atomic():
        locked = assignments.unreleased().order_by("pk").select_for_update(of=("self",))
        rows = Assignment.objects.filter(pk__in=[row.pk for row in locked])
        found = [one for one in outlook.outlooks_for(rows) if not one.is_under_way]
        if shown is not None and outlook.digest(found) != shown:
            raise Changed
        rows.end()
        busy = Operation.objects.open().filter(vm__in=[one.machine.pk for one in found])
        busy_machines = set(busy.order_by().values_list("vm", flat=True))
        wanted = [_new_preparation(one, way=way, by=by, reserved=reserved or {}) for one in found]
        for preparation, one in zip(wanted, found, strict=True):
            preparation.save(force_insert=True)
            _begin(preparation, one, is_busy=one.machine.pk in busy_machines)
        return wanted


def _new_preparation(found: Outlook, *, way: str, by: User, reserved: Mapping[int, int]) -> Preparation:
    way_taken = found.possible_way(way)
    return Preparation(
        assignment=found.assignment,
        way=way_taken,
        baseline=found.baseline.name if found.baseline else "",
        points=found.points_to_delete(way_taken),
        reserved_for_id=reserved.get(found.machine.pk) or _reserved_before(found),
        asked_by=by,
        asked_by_name=by.get_username(),
    )


def _begin(wanted: Preparation, found: Outlook, *, is_busy: bool) -> None:
    if _needs_nothing(found, wanted, is_busy=is_busy):
        preparing.succeed(wanted)
    else:
        transaction.on_commit(partial(enqueue.preparation, wanted.pk), robust=True)


def _reserved_before(found: Outlook) -> int | None:
    return found.failed.reserved_for_id if found.failed else None


def _needs_nothing(found: Outlook, wanted: Preparation, *, is_busy: bool) -> bool:
    """Whether the machine is ready at once: it is gone, or stays as it is with nothing to delete."""
    if found.machine.gone_at:
        return True
    is_plain = wanted.way == Way.AS_IT_IS and not (wanted.points or is_busy)
    return is_plain and not preparing.has_last_steps(found.machine.pk)


def unreserve(assignments: AssignmentQuerySet, *, person: int | None = None) -> None:
    """Cancel reservations of these machines: all, or those of one person."""
    promised = Preparation.objects.filter(assignment__in=assignments.unreleased().order_by().values("pk"))
    wanted = promised.filter(reserved_for=person) if person else promised.exclude(reserved_for=None)
    wanted.order_by().update(reserved_for=None)


def keep(assignments: AssignmentQuerySet) -> int:
    """End assignments without a person's choice. The machines are kept as they are, and nobody else gets them."""
    return assignments.live().end(kept_until=_later())


def keep_longer(assignments: AssignmentQuerySet) -> int:
    """Keep those that are kept for the configured number of days from now. Returns how many."""
    kept = assignments.unreleased().exclude(kept_until=None)
    return kept.order_by().update(kept_until=_later())


def _later() -> datetime:
    return timezone.now() + timedelta(days=settings.KEEP_MACHINES_DAYS)


def restore(assignments: AssignmentQuerySet) -> int:
    """Assign kept machines to their people again, unless somebody freed them meanwhile. Returns how many.

    They count as assigned all the time: what was saved before is theirs, and is deleted when the machine is freed.
    """
    restored = 0
    with transaction.atomic():
        kept = assignments.unreleased().filter(user__is_active=True).exclude(kept_until=None)
        locked = list(kept.select_for_update(of=("self",)))
        # Queried after the lock: nobody else can free them now.
        freed = set(Preparation.objects.filter(assignment__in=locked).values_list("assignment", flat=True))
        for row in locked:
            if row.pk in freed:
                continue
            Assignment.objects.filter(pk=row.pk).update(released_at=timezone.now())
            Assignment.objects.create(vm_id=row.vm_id, user_id=row.user_id, assigned_at=row.assigned_at)
            restored += 1
    return restored
