"""Membership of a class: the roster, enrolling people from it, requeueing for a machine, and leaving."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from classes.enrolment import releasing, waiting_list
from classes.models import LabClass, Membership
from vms import preparation
from vms.models import Preparation

# The `way` for somebody who leaves the class and keeps the machine.
KEEP = "keep"


def enrol(lab_class: LabClass, user: User, listed: Membership | None) -> Membership:
    """Make somebody a member who waits for a machine. In a transaction that has locked the class."""
    now = timezone.now()
    row = listed or Membership(lab_class=lab_class, user=user)
    row.joined_at = row.waiting_since = now
    row.save()
    lab_class.machine_set.members.add(user)
    return row


def add_people(lab_class: LabClass, people: list[User], *, at_once: bool) -> int:
    """Add people to the roster, or enrol them `at_once`. Returns for how many this changed something."""
    changed = 0
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        rows = {row.user_id: row for row in Membership.objects.live().filter(lab_class=locked, user__in=people)}
        for person in people:
            row = rows.get(person.pk)
            if row is not None and (row.joined_at or not at_once):
                continue
            changed += 1
            if at_once:
                enrol(locked, person, row)
            else:
                Membership.objects.create(lab_class=locked, user=person)
        waiting_list.assign_free_machines(locked)
    return changed


def requeue(membership: Membership) -> bool:
    """Put a member without a machine at the end of the waiting list."""
    with transaction.atomic():
        lab_class = waiting_list.lock(membership.lab_class)
        waiting = Membership.objects.joined().filter(pk=membership.pk, waiting_since=None)
        changed = bool(waiting.update(waiting_since=timezone.now()))
        waiting_list.assign_free_machines(lab_class)
    return changed


def remove(membership: Membership, *, way: str, by: User, shown: str | None = None) -> list[Preparation]:
    """End a membership. The machines are released in this `way`, or stay with the person: `KEEP`.

    Raises `preparation.Changed`.
    """
    with transaction.atomic():
        lab_class = waiting_list.lock(membership.lab_class)
        row = Membership.objects.live().filter(pk=membership.pk).first()
        if row is None:
            return []
        preparation.unreserve(releasing.unreleased(lab_class), person=row.user_id)
        freed = [] if way == KEEP else preparation.free(unreleased(row), way=way, by=by, shown=shown)
        row.left_at, row.waiting_since = timezone.now(), None
        row.save(update_fields=["left_at", "waiting_since"])
        lab_class.machine_set.members.remove(row.user)
        waiting_list.assign_free_machines(lab_class)
    return freed


def unreleased(membership: Membership) -> Any:
    """The person's assignments to machines of the class, also to those that are kept."""
    return releasing.unreleased(membership.lab_class).filter(user=membership.user_id)
