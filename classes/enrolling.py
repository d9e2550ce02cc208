"""Coming into a class, and going: by an invite, by its list, and out again."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from classes import queue
from classes.models import Invite, LabClass, Membership
from vms import operations
from vms.models import Assignment, VirtualMachine

DOOR = Lock()


class NotInvited(Exception):
    """This invite opens nothing to this person. Why not is nobody's business: it may be somebody who guesses."""


class Machine(StrEnum):
    """What becomes of the machine of somebody who goes."""

    KEEP = "keep"
    UNASSIGN = "unassign"
    SHUT_DOWN = "shut-down"


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
        lab_class = queue.hold(invite.lab_class)
        row = Membership.objects.live().filter(lab_class=lab_class, user=user).first()
        if row and row.joined_at:
            return row, False
        if lab_class.is_over or (invite.restricted_to_roster and row is None) or not invite.use():
            raise NotInvited
        row = _enrol(lab_class, user, row)
        queue.fill(lab_class)
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
    return Joined(row.lab_class, is_new, held.vm if held else None, waits, queue.before(row) if waits else 0)


def put_on_list(lab_class: LabClass, people: list[User], *, at_once: bool) -> int:
    """Write people on the class's list, or enrol them `at_once`. Returns for how many this changed something."""
    changed = 0
    with transaction.atomic():
        held = queue.hold(lab_class)
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
        queue.fill(held)
    return changed


def wait_again(membership: Membership) -> bool:
    """Put somebody without a machine at the end of the queue."""
    with transaction.atomic():
        lab_class = queue.hold(membership.lab_class)
        waiting = Membership.objects.joined().filter(pk=membership.pk, waiting_since=None)
        changed = bool(waiting.update(waiting_since=timezone.now()))
        queue.fill(lab_class)
    return changed


def remove(membership: Membership, *, machine: Machine, by: User) -> list[str]:
    """End a membership; the freed machine goes to who waits. Returns why machines could not be shut down."""
    troubles = _shut_down(membership, by=by) if machine is Machine.SHUT_DOWN else []
    with transaction.atomic():
        lab_class = queue.hold(membership.lab_class)
        row = Membership.objects.live().filter(pk=membership.pk).first()
        if row is None:
            return troubles
        row.left_at, row.waiting_since = timezone.now(), None
        row.save(update_fields=["left_at", "waiting_since"])
        lab_class.machine_set.members.remove(row.user)
        if machine is not Machine.KEEP:
            row.assignments.end()
        queue.fill(lab_class)
    return troubles


def _shut_down(membership: Membership, *, by: User) -> list[str]:
    """Asked by the teacher, whose right it is; what waits for its turn is not cancelled with the assignment."""
    mine = membership.assignments.values("vm")
    machines = VirtualMachine.objects.operable_by(by).filter(pk__in=mine, status="running")
    troubles = []
    for machine in machines.select_related("cluster"):
        try:
            operations.request(machine, "shutdown", by=by, unlimited=True)
        except operations.Refused as refusal:
            troubles.append(f"{machine.display_name}: {refusal}")
    return troubles


def unassign(lab_class: LabClass, vm: VirtualMachine) -> int:
    """Take a machine of the class from who holds it; the first who waits gets it. Returns how many held it."""
    with transaction.atomic():
        held = queue.hold(lab_class)
        ended: int = Assignment.objects.live().filter(vm=vm, vm__class_machine__lab_class=held).end()
        queue.fill(held)
    return ended
