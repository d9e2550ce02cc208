"""The waiting list: free machines of a class go to the members who wait, first come first served.

Whoever frees a machine, adds one, or puts somebody on the waiting list calls `assign_free_machines` in the same
transaction, after `lock` has locked the class: so nobody is overlooked. A machine that has to be prepared first comes
here when it is prepared. Changes elsewhere (an administrator ends an assignment) are found by the worker's `reconcile`.
Constraints in the database make sure that no machine has two assignees, and nobody gets an unprepared one.
"""

from collections.abc import Iterator
from itertools import chain

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from classes.models import ClassMachine, LabClass, Membership
from vms.models import Assignment, VirtualMachine

AT_ONCE = 500


def lock(lab_class: LabClass) -> LabClass:
    """Lock the class's row, so that nobody else assigns its machines until the transaction ends."""
    locked: LabClass = LabClass.objects.select_for_update(no_key=True, of=("self",)).get(pk=lab_class.pk)
    return locked


def stop_waiting_if_assigned(lab_class: LabClass) -> None:
    """Take people off the waiting list who got a machine in another way."""
    waiting = Membership.objects.filter(lab_class=lab_class).exclude(waiting_since=None)
    waiting.with_machine().update(waiting_since=None)


def assign_free_machines(lab_class: LabClass) -> int:
    """Assign free machines to members who wait; returns how many. In a transaction that has locked the class."""
    if lab_class.is_over:
        return 0
    free = iter(list(ClassMachine.objects.free().filter(lab_class=lab_class).select_related("vm")[:AT_ONCE]))
    if (first := next(free, None)) is None:
        return 0
    stop_waiting_if_assigned(lab_class)
    waiting = list(Membership.objects.waiting().filter(lab_class=lab_class)[:AT_ONCE])
    free = chain([first], free)
    return sum(_assign_next(membership, free) for membership in waiting)


def _assign_next(membership: Membership, free: Iterator[ClassMachine]) -> bool:
    return any(assign(membership, machine.vm) for machine in free)


def assign(membership: Membership, vm: VirtualMachine) -> bool:
    """False when the machine was assigned meanwhile, or is not prepared: then the member still waits."""
    try:
        with transaction.atomic():
            Membership.objects.filter(pk=membership.pk).update(waiting_since=None)
            Assignment.objects.create(vm=vm, user_id=membership.user_id)
    except IntegrityError:  # an administrator assigned it at the same moment
        return False
    return True


def people_ahead(membership: Membership) -> int:
    """The number of people in front of a member who waits."""
    queue = list(Membership.objects.waiting().filter(lab_class=membership.lab_class_id).values_list("pk", flat=True))
    return queue.index(membership.pk) if membership.pk in queue else 0


def reconcile() -> int:
    """Assign machines that became free, came back, or were granted outside of this app. Returns how many."""
    waiting = Membership.objects.waiting().filter(lab_class=OuterRef("pk")).order_by()
    assigned = 0
    for lab_class in LabClass.objects.filter(Exists(waiting)).order_by("pk"):
        with transaction.atomic():
            assigned += assign_free_machines(lock(lab_class))
    return assigned
