"""Taking machines back: from one person, out of the class, and when the class ends. The next person gets them ready.

Each of these is called with what the person chose on the page that frees machines; without a choice the class's
setting counts. `preparing` does the rest, and tells `released`.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from classes.enrolment import invites, waiting_list
from classes.models import ClassMachine, Invite, LabClass, Membership
from vms import preparation
from vms.models import Assignment, Preparation
from vms.preparation.outlook import ReleaseSettings


def settings_of(machines: Iterable[int]) -> dict[int, ReleaseSettings]:
    """What classes have set for machines, by primary key."""
    rows = ClassMachine.objects.filter(vm__in=list(machines)).order_by()
    found = rows.values_list("vm", "lab_class__freed_machines", "lab_class__baseline")
    return {vm: ReleaseSettings(way, baseline) for vm, way, baseline in found}


def unreleased(lab_class: LabClass) -> Any:
    """The assignments to machines of the class that keep these from everybody else."""
    return Assignment.objects.unreleased().filter(vm__class_machine__lab_class=lab_class)


def undecided(lab_class: LabClass) -> Any:
    """Those of them on which somebody has to decide: preparing failed, or the machine was kept for long enough."""
    tried = Preparation.objects.filter(assignment=OuterRef("pk"))
    late = Q(kept_until=None) | Q(kept_until__lt=timezone.now()) | Exists(tried)
    return unreleased(lab_class).exclude(ended_at=None).filter(late, ~Exists(tried.open()))


def unassign(
    lab_class: LabClass, machines: Iterable[int], *, way: str, by: User, shown: str | None = None
) -> list[Preparation]:
    """Take machines of the class from who has them. Raises `preparation.Changed`."""
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        freed = preparation.free(unreleased(held).filter(vm__in=list(machines)), way=way, by=by, shown=shown)
        waiting_list.fill(held)
    return freed


def drop(
    lab_class: LabClass, machines: Iterable[int], *, way: str, by: User, shown: str | None = None
) -> list[Preparation]:
    """Take machines out of the class, each as soon as it is ready for somebody else. Raises `preparation.Changed`."""
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        leaving = ClassMachine.objects.filter(lab_class=held, vm__in=list(machines))
        preparation.unreserve(unreleased(held).filter(vm__in=leaving.values("vm")))
        freed = preparation.free(unreleased(held).filter(vm__in=leaving.values("vm")), way=way, by=by, shown=shown)
        leaving.update(is_leaving=True)
        _let_leave(held)
        waiting_list.fill(held)
    return freed


def _let_leave(lab_class: LabClass) -> None:
    """Of those that are to leave, those that are ready."""
    held = Assignment.objects.unreleased().filter(vm=OuterRef("vm"))
    ready = list(ClassMachine.objects.filter(~Exists(held), lab_class=lab_class, is_leaving=True))
    if ready:
        lab_class.machine_set.machines.remove(*(row.vm_id for row in ready))
        ClassMachine.objects.filter(pk__in=[row.pk for row in ready]).delete()


# The end of a class


def end(lab_class: LabClass, *, way: str, by: User, shown: str | None = None) -> list[Preparation]:
    """Nobody joins any more, and the machines leave as soon as they are ready. People and lesson are kept.

    Raises `preparation.Changed`.
    """
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        _close(held)
        machines = list(ClassMachine.objects.filter(lab_class=held).values_list("vm", flat=True))
        return drop(held, machines, way=way, by=by, shown=shown)


def _close(held: LabClass) -> None:
    held.ended_at = held.ended_at or timezone.now()
    held.save(update_fields=["ended_at"])
    preparation.unreserve(unreleased(held))
    for invite in Invite.objects.filter(lab_class=held, revoked_at=None):
        invites.revoke(invite)
    Membership.objects.filter(lab_class=held).exclude(waiting_since=None).update(waiting_since=None)


def delete(lab_class: LabClass, *, way: str, by: User, shown: str | None = None) -> bool:
    """End the class, and forget it as soon as its machines are ready. Returns whether that is now.

    Raises `preparation.Changed`.
    """
    with transaction.atomic():
        end(lab_class, way=way, by=by, shown=shown)
        held = waiting_list.hold(lab_class)
        held.is_being_deleted = True
        held.save(update_fields=["is_being_deleted"])
        return _forget(held)


def _forget(held: LabClass) -> bool:
    """False while machines of it are not ready."""
    if not held.is_being_deleted or ClassMachine.objects.filter(lab_class=held).exists():
        return False
    kept = held.machine_set
    held.delete()
    kept.delete()
    return True


def reopen(lab_class: LabClass) -> int:
    """Take the class out of the archive. Its people have again what was kept for them; returns how many machines."""
    with transaction.atomic():
        held = waiting_list.hold(lab_class)
        held.ended_at, held.is_being_deleted = None, False
        if held.is_past_its_last_day:
            held.ends_on = None
        held.save(update_fields=["ended_at", "is_being_deleted", "ends_on"])
        people = Membership.objects.joined().filter(lab_class=held).values("user")
        return preparation.restore(unreleased(held).filter(user__in=people))


def close_those_that_are_over() -> int:
    """The last day of a class closes it, and keeps its machines as they are: nobody has chosen anything."""
    closed = 0
    for lab_class in LabClass.objects.filter(ended_at=None).exclude(ends_on=None):
        if lab_class.is_past_its_last_day:
            with transaction.atomic():
                held = waiting_list.hold(lab_class)
                if not held.ended_at and held.is_past_its_last_day:
                    _close(held)
                    preparation.keep(unreleased(held))
                    closed += 1
    return closed


# What the worker tells


def released(machines: list[int]) -> None:
    """Machines are ready: they leave, or go to who waits; a class that was to be deleted with them is."""
    for lab_class in LabClass.objects.filter(class_machines__vm__in=machines).distinct():
        follow(lab_class)


def follow(lab_class: LabClass) -> None:
    with transaction.atomic():
        held = LabClass.objects.select_for_update(no_key=True, of=("self",)).filter(pk=lab_class.pk).first()
        if held:
            _let_leave(held)
            if not _forget(held):
                waiting_list.fill(held)


def sweep() -> int:
    """What nobody told the classes: machines that became free, came back, were granted, or are ready to leave."""
    leaving = Q(class_machines__is_leaving=True) | Q(is_being_deleted=True)
    for lab_class in LabClass.objects.filter(leaving).distinct():
        follow(lab_class)
    return waiting_list.sweep()
