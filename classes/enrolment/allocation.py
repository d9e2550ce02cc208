"""Many machines of a class to many of its people: a plan that can be shown, then exactly that plan."""

import hashlib
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from classes.enrolment import waiting_list
from classes.enrolment.class_machines import granted
from classes.models import ClassMachine, LabClass, Membership
from vms import bulk_assignment
from vms.bulk_assignment import Plan, PlanChanged, Scope, Table
from vms.models import VirtualMachine


@dataclass(frozen=True)
class Pair:
    membership: int
    person: str
    vm: int
    machine: str


@dataclass(frozen=True)
class Sharing:
    """Who gets which; and how many people and machines remain."""

    pairs: tuple[Pair, ...]
    people_left: int
    machines_left: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


def share(lab_class: LabClass) -> Sharing:
    """Who has no machine gets a free one: those who wait first, then by name. Writes nothing."""
    people = Membership.objects.joined().filter(lab_class=lab_class, user__is_active=True).select_related("user")
    holders = set(people.with_machine().values_list("pk", flat=True))
    without = [row for row in people.order_by("user__username") if row.pk not in holders]
    without.sort(key=lambda row: (row.waiting_since is None, row.waiting_since or row.listed_at, row.pk))
    free = [row.vm for row in ClassMachine.objects.free().filter(lab_class=lab_class).select_related("vm")]
    pairs = tuple(Pair(row.pk, row.user.username, vm.pk, str(vm)) for row, vm in zip(without, free, strict=False))
    return Sharing(pairs, len(without) - len(pairs), len(free) - len(pairs))


def share_out(lab_class: LabClass, *, expected: str) -> Sharing:
    """Raises `PlanChanged`, and then nothing was written."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        if locked.is_over:
            raise PlanChanged
        fresh = share(locked)
        if fresh.digest != expected:
            raise PlanChanged
        rows = Membership.objects.in_bulk([pair.membership for pair in fresh.pairs])
        machines = VirtualMachine.objects.in_bulk([pair.vm for pair in fresh.pairs])
        for pair in fresh.pairs:
            if not waiting_list.assign(rows[pair.membership], machines[pair.vm]):
                raise PlanChanged
    return fresh


def _scope(lab_class: LabClass) -> Scope:
    people = Membership.objects.joined().filter(lab_class=lab_class).values_list("user", flat=True)
    machines = granted(lab_class).filter(class_machine__lab_class=lab_class).values_list("pk", flat=True)
    return Scope(frozenset(people), frozenset(machines))


def by_table(lab_class: LabClass, text: str, *, end_first: bool, way: str = "") -> Plan:
    """What the lines of a table would do among the class's own people and machines. Raises `Unreadable`."""
    return bulk_assignment.plan(Table(text), end_first=end_first, scope=_scope(lab_class), way=way)


def apply_table(lab_class: LabClass, text: str, *, end_first: bool, expected: str, by: User, way: str = "") -> Plan:
    """Who gets a machine that has to be prepared first waits for that one, and for no other. Raises `PlanChanged`."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        if locked.is_over:
            raise PlanChanged
        done = bulk_assignment.apply(
            Table(text), end_first=end_first, expected=expected, by=by, scope=_scope(locked), way=way
        )
        waiting_list.stop_waiting_if_assigned(locked)
        later = [row.user for row in done.given if row.ends]
        Membership.objects.waiting().filter(lab_class=locked, user__in=later).update(waiting_since=None)
        waiting_list.assign_free_machines(locked)
    return done
