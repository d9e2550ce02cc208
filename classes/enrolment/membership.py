"""Membership of a class: joining with an invite, being added to the roster, leaving."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from classes.enrolment import releasing, waiting_list
from classes.models import Invite, LabClass, Membership
from vms import preparation
from vms.models import Preparation, VirtualMachine

SQLITE_LOCK = Lock()

# The `way` for somebody who leaves the class and keeps the machine.
KEEP = "keep"


class NotInvited(Exception):
    """The invite is not valid for this person. The reason is not told: the person may be guessing invites."""


@dataclass(frozen=True)
class JoinResult:
    """`machine` is the member's in this class, if any; otherwise `people_ahead` come first, if the member `waits`."""

    lab_class: LabClass
    is_new: bool
    machine: VirtualMachine | None
    waits: bool
    people_ahead: int


def join(invite: Invite, user: User) -> JoinResult:
    """Enrol, count the use, and assign a machine if one is free: all of it or nothing. A second call changes nothing.

    Raises `NotInvited`.
    """
    with _one_at_a_time():
        row, is_new = _join(invite, user)
    return _joined(row, is_new=is_new)


def _one_at_a_time() -> AbstractContextManager[object]:
    """SQLite has one writer, and connections poll until it is free: in a crowd, some would time out."""
    return SQLITE_LOCK if connection.vendor == "sqlite" else nullcontext()


def _join(invite: Invite, user: User) -> tuple[Membership, bool]:
    with transaction.atomic():
        lab_class = waiting_list.lock(invite.lab_class)
        row = Membership.objects.live().filter(lab_class=lab_class, user=user).first()
        if row and row.joined_at:
            return row, False
        if lab_class.is_over or (invite.restricted_to_roster and row is None) or not invite.use():
            raise NotInvited
        row = _enrol(lab_class, user, row)
        waiting_list.assign_free_machines(lab_class)
    return row, True


def _enrol(lab_class: LabClass, user: User, listed: Membership | None) -> Membership:
    now = timezone.now()
    row = listed or Membership(lab_class=lab_class, user=user)
    row.joined_at = row.waiting_since = now
    row.save()
    lab_class.machine_set.members.add(user)
    return row


def _joined(row: Membership, *, is_new: bool) -> JoinResult:
    row.refresh_from_db()
    assignment = row.assignments.select_related("vm").order_by("pk").first()
    waits = row.waiting_since is not None
    ahead = waiting_list.people_ahead(row) if waits else 0
    return JoinResult(row.lab_class, is_new, assignment.vm if assignment else None, waits, ahead)


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
                _enrol(locked, person, row)
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
