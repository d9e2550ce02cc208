"""Allocates the machines of a class to its people: all that are free to all who have none, or as a table says.

Each is a plan that can be shown, then exactly that plan.
"""

from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext_lazy, gettext_noop

from accounts.models import User
from accounts.plans import Note, Plan, PlanChanged, PlanRow, carry_out
from classes.enrolment import waiting_list
from classes.enrolment.class_machines import granted
from classes.models import ClassMachine, LabClass, Membership
from vms import bulk_assignment
from vms.bulk_assignment import AssignmentPlan, AssignmentReason, Scope, Table
from vms.models import VirtualMachine


@dataclass(frozen=True)
class AllocationRow(PlanRow):
    person: str = ""
    machine: str = ""
    membership: int = 0
    vm: int = 0


@dataclass(frozen=True, kw_only=True)
class AllocationPlan(Plan[AllocationRow]):
    columns: ClassVar = (("person", gettext_lazy("Person")), ("machine", gettext_lazy("Machine")))
    empty: ClassVar = gettext_lazy("Everybody has a machine")

    will, did, nothing, button = AssignmentPlan.will, AssignmentPlan.did, AssignmentPlan.nothing, AssignmentPlan.button


def plan(lab_class: LabClass) -> AllocationPlan:
    """Plans a free machine for each person without one: those who wait first, then by name. Writes nothing."""
    people = Membership.objects.joined().filter(lab_class=lab_class, user__is_active=True).select_related("user")
    assigned = set(people.with_machine().values_list("pk", flat=True))
    without = [row for row in people.order_by("user__username") if row.pk not in assigned]
    without.sort(key=lambda row: (row.waiting_since is None, row.waiting_since or row.listed_at, row.pk))
    free = [row.vm for row in ClassMachine.objects.free().filter(lab_class=lab_class).select_related("vm")]
    rows = [_row(n, member, free[n - 1] if n <= len(free) else None) for n, member in enumerate(without, 1)]
    left = len(free) - len(without)
    notice = Note.of(gettext_noop("Available machines left: %(count)s"), count=left)
    return AllocationPlan(rows=tuple(rows), notices=(notice,) if left > 0 else ())


def _row(number: int, member: Membership, vm: VirtualMachine | None) -> AllocationRow:
    name = member.user.username
    if vm is None:
        return AllocationRow(number, AssignmentReason.NONE_LEFT, (), name, "", member.pk)
    return AllocationRow(number, AssignmentReason.ASSIGN, (), name, str(vm), member.pk, vm.pk)


def apply(lab_class: LabClass, *, expected: str) -> AllocationPlan:
    """Raises `PlanChanged`, and then nothing was written."""
    return carry_out(lambda: plan(_open(lab_class)), _write, expected=expected)


def _write(fresh: AllocationPlan) -> None:
    members = Membership.objects.in_bulk([row.membership for row in fresh.written])
    machines = VirtualMachine.objects.in_bulk([row.vm for row in fresh.written])
    for row in fresh.written:
        if not waiting_list.assign(members[row.membership], machines[row.vm]):
            raise PlanChanged


def _open(lab_class: LabClass) -> LabClass:
    """The class, locked. Raises `PlanChanged` when it has ended."""
    locked = waiting_list.lock(lab_class)
    if locked.is_over:
        raise PlanChanged
    return locked


def plan_table(lab_class: LabClass, text: str, *, end_first: bool, way: str = "") -> AssignmentPlan:
    """Plans the lines of a table among the class's own people and machines. Raises `Unreadable`."""
    people = Membership.objects.joined().filter(lab_class=lab_class).values_list("user", flat=True)
    machines = granted(lab_class).filter(class_machine__lab_class=lab_class).values_list("pk", flat=True)
    scope = Scope(frozenset(people), frozenset(machines))
    return bulk_assignment.plan(Table(text), end_first=end_first, scope=scope, way=way)


def apply_table(
    lab_class: LabClass, text: str, *, end_first: bool, expected: str, by: User, way: str = ""
) -> AssignmentPlan:
    """Applies a plan. People whose machine has to be prepared first wait for that one only. Raises `PlanChanged`."""

    def write(fresh: AssignmentPlan) -> None:
        bulk_assignment.write(fresh, by)
        waiting_list.stop_waiting_if_assigned(lab_class)
        later = [row.user for row in fresh.written if row.ends]
        Membership.objects.waiting().filter(lab_class=lab_class, user__in=later).update(waiting_since=None)
        waiting_list.assign_free_machines(lab_class)

    def make() -> AssignmentPlan:
        return plan_table(_open(lab_class), text, end_first=end_first, way=way)

    return carry_out(make, write, expected=expected)
