"""Joining a class with an invite."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock

from django.db import connection, transaction

from accounts.models import User
from classes.enrolment import waiting_list
from classes.enrolment.membership import enrol
from classes.models import Invite, LabClass, Membership
from vms.models import VirtualMachine

SQLITE_LOCK = Lock()


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
        row = enrol(lab_class, user, row)
        waiting_list.assign_free_machines(lab_class)
    return row, True


def _joined(row: Membership, *, is_new: bool) -> JoinResult:
    row.refresh_from_db()
    assignment = row.assignments.select_related("vm").order_by("pk").first()
    waits = row.waiting_since is not None
    ahead = waiting_list.people_ahead(row) if waits else 0
    return JoinResult(row.lab_class, is_new, assignment.vm if assignment else None, waits, ahead)
