"""Coming into a class, and going: by an invite, by its list, and out again."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from classes import releasing
from classes.enrolment import waiting_list
from classes.models import Invite, LabClass, Membership
from vms import preparation
from vms.models import Preparation, VirtualMachine

DOOR = Lock()

# Somebody who goes takes the machine along.
KEEP = "keep"


class NotInvited(Exception):
    """This invite opens nothing to this person. Why not is nobody's business: it may be somebody who guesses."""


@dataclass(frozen=True)
class Joined:
    """`machine` is his in this class, if he has one; else `before` people wait in front of him, if he `waits`."""

    lab_class: LabClass
    is_new: bool
    machine: VirtualMachine | None
    waits: bool
    before: int


def join(invite: Invite, user: User) -> Joined:
    """Enrol, count the use, and give a machine if there is one: all of it or nothing. Twice is once.

    Raises `NotInvited`.
    """
    with _turn():
        row, is_new = _join(invite, user)
    return _joined(row, is_new=is_new)


def _turn() -> AbstractContextManager[object]:
    """SQLite has one writer, and who waits for it sleeps and looks again: in a crowd somebody sleeps for too long."""
    return DOOR if connection.vendor == "sqlite" else nullcontext()


def _join(invite: Invite, user: User) -> tuple[Membership, bool]:
    with transaction.atomic():
        lab_class = waiting_list.hold(invite.lab_class)
        row = Membership.objects.live().filter(lab_class=lab_class, user=user).first()
        if row and row.joined_at:
            return row, False
        if lab_class.is_over or (invite.restricted_to_roster and row is None) or not invite.use():
            raise NotInvited
        row = _enrol(lab_class, user, row)
        waiting_list.fill(lab_class)
    return row, True


def _enrol(lab_class: LabClass, user: User, listed: Membership | None) -> Membership:
    now = timezone.now()
    row = listed or Membership(lab_class=lab_class, user=user)
    row.joined_at = row.waiting_since = now
    row.save()
    lab_class.machine_set.members.add(user)
    return row


def _joined(row: Membership, *, is_new: bool) -> Joined:
    row.refresh_from_db()
    held = row.assignments.select_related("vm").order_by("pk").first()
    waits = row.waiting_since is not None
    return Joined(row.lab_class, is_new, held.vm if held else None, waits, waiting_list.before(row) if waits else 0)


def put_on_list(lab_class: LabClass, people: list[User], *, at_once: bool) -> int:
    """Write people on the class's list, or enrol them `at_once`. Returns for how many this changed something."""
    changed = 0
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        rows = {row.user_id: row for row in Membership.objects.live().filter(lab_class=held, user__in=people)}
        for person in people:
            row = rows.get(person.pk)
            if row is not None and (row.joined_at or not at_once):
                continue
            changed += 1
            if at_once:
                _enrol(held, person, row)
            else:
                Membership.objects.create(lab_class=held, user=person)
        waiting_list.fill(held)
    return changed


def wait_again(membership: Membership) -> bool:
    """Put somebody without a machine at the end of the queue."""
    with transaction.atomic():
        lab_class = waiting_list.hold(membership.lab_class)
        waiting = Membership.objects.joined().filter(pk=membership.pk, waiting_since=None)
        changed = bool(waiting.update(waiting_since=timezone.now()))
        waiting_list.fill(lab_class)
    return changed


def remove(membership: Membership, *, way: str, by: User, shown: str | None = None) -> list[Preparation]:
    """End a membership. The machines are freed in this `way`, or stay with the person: `KEEP`.

    Raises `preparing.Changed`.
    """
    with transaction.atomic():
        lab_class = waiting_list.hold(membership.lab_class)
        row = Membership.objects.live().filter(pk=membership.pk).first()
        if row is None:
            return []
        preparation.unreserve(releasing.unreleased(lab_class), person=row.user_id)
        freed = [] if way == KEEP else preparation.free(unreleased(row), way=way, by=by, shown=shown)
        row.left_at, row.waiting_since = timezone.now(), None
        row.save(update_fields=["left_at", "waiting_since"])
        lab_class.machine_set.members.remove(row.user)
        waiting_list.fill(lab_class)
    return freed


def unreleased(membership: Membership) -> Any:
    """The person's assignments to machines of the class, also to those that are kept."""
    return releasing.unreleased(membership.lab_class).filter(user=membership.user_id)
