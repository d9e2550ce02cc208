"""Machines come to those who wait, first come first served.

Whoever frees a machine, brings one, or lets somebody wait calls `fill` in the same transaction, after `hold` has locked
the class. So one at a time looks at the queue and nobody is overlooked. A machine that has to be prepared first comes
to the queue when that is done; what happens elsewhere (an administrator ends an assignment) the worker finds with
`sweep`. That two people never get one machine, and nobody an unprepared one, is the database's constraint.
"""

from collections.abc import Iterator
from itertools import chain

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from classes.models import ClassMachine, LabClass, Membership
from vms.models import Assignment, VirtualMachine

AT_ONCE = 500


def hold(lab_class: LabClass) -> LabClass:
    """Nobody else changes who has what in this class until the transaction ends."""
    locked: LabClass = LabClass.objects.select_for_update(no_key=True, of=("self",)).get(pk=lab_class.pk)
    return locked


def settle(lab_class: LabClass) -> None:
    """Who got a machine otherwise does not wait any more."""
    waiting = Membership.objects.filter(lab_class=lab_class).exclude(waiting_since=None)
    waiting.with_machine().update(waiting_since=None)


def fill(lab_class: LabClass) -> int:
    """Give free machines to those who wait. Returns how many. In a transaction that holds the class."""
    if lab_class.is_over:
        return 0
    free = iter(list(ClassMachine.objects.free().filter(lab_class=lab_class).select_related("vm")[:AT_ONCE]))
    if (first := next(free, None)) is None:
        return 0
    settle(lab_class)
    waiting = list(Membership.objects.waiting().filter(lab_class=lab_class)[:AT_ONCE])
    free = chain([first], free)
    return sum(_give_next(membership, free) for membership in waiting)


def _give_next(membership: Membership, free: Iterator[ClassMachine]) -> bool:
    return any(give(membership, machine.vm) for machine in free)


def give(membership: Membership, vm: VirtualMachine) -> bool:
    """False when somebody holds the machine meanwhile, or it is not ready: then the person still waits."""
    try:
        with transaction.atomic():
            Membership.objects.filter(pk=membership.pk).update(waiting_since=None)
            Assignment.objects.create(vm=vm, user_id=membership.user_id)
    except IntegrityError:  # an administrator gave it away at the same moment
        return False
    return True


def before(membership: Membership) -> int:
    """How many wait in front of somebody who waits."""
    queue = list(Membership.objects.waiting().filter(lab_class=membership.lab_class_id).values_list("pk", flat=True))
    return queue.index(membership.pk) if membership.pk in queue else 0


def sweep() -> int:
    """What nobody told the classes: machines that became free, came back, or were granted. Returns how many it gave."""
    waiting = Membership.objects.waiting().filter(lab_class=OuterRef("pk")).order_by()
    given = 0
    for lab_class in LabClass.objects.filter(Exists(waiting)).order_by("pk"):
        with transaction.atomic():
            given += fill(hold(lab_class))
    return given
