"""Releasing machines: unassigning them from people and removing them from the class.

Each function gets the `way` that a person chose on the page (`vms.pages.release_choice`); empty: the class's setting.
`vms.preparation` prepares the machines for the next person, and then calls `classes.lifecycle.on_released`.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from classes.enrolment import waiting_list
from classes.models import ClassMachine, LabClass
from vms import preparation
from vms.models import Assignment, Preparation
from vms.preparation.outlook import ReleaseSettings


def release_settings(machines: Iterable[int]) -> dict[int, ReleaseSettings]:
    """The settings of classes for released machines, by primary key of the machine."""
    rows = ClassMachine.objects.filter(vm__in=list(machines)).order_by()
    found = rows.values_list("vm", "lab_class__freed_machines", "lab_class__baseline")
    return {vm: ReleaseSettings(way, baseline) for vm, way, baseline in found}


def unreleased(lab_class: LabClass) -> Any:
    """The assignments because of which nobody else gets the class's machines yet: live ones, and ended ones of machines
    that are not prepared."""
    return Assignment.objects.unreleased().filter(vm__class_machine__lab_class=lab_class)


def undecided(lab_class: LabClass) -> Any:
    """Ended ones that need a decision: preparation failed, or the machine was kept until its date."""
    tried = Preparation.objects.filter(assignment=OuterRef("pk"))
    late = Q(kept_until=None) | Q(kept_until__lt=timezone.now()) | Exists(tried)
    return unreleased(lab_class).exclude(ended_at=None).filter(late, ~Exists(tried.open()))


def unassign(
    lab_class: LabClass, machines: Iterable[int], *, way: str, by: User, shown: str | None = None
) -> list[Preparation]:
    """Unassign machines of the class. Raises `preparation.Changed`."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        freed = preparation.free(unreleased(locked).filter(vm__in=list(machines)), way=way, by=by, shown=shown)
        waiting_list.assign_free_machines(locked)
    return freed


def remove_machines(
    lab_class: LabClass, machines: Iterable[int], *, way: str, by: User, shown: str | None = None
) -> list[Preparation]:
    """Remove machines from the class, each as soon as it is prepared. Raises `preparation.Changed`."""
    with transaction.atomic():
        locked = waiting_list.lock(lab_class)
        leaving = ClassMachine.objects.filter(lab_class=locked, vm__in=list(machines))
        preparation.unreserve(unreleased(locked).filter(vm__in=leaving.values("vm")))
        freed = preparation.free(unreleased(locked).filter(vm__in=leaving.values("vm")), way=way, by=by, shown=shown)
        leaving.update(is_leaving=True)
        remove_prepared(locked)
        waiting_list.assign_free_machines(locked)
    return freed


def remove_prepared(lab_class: LabClass) -> None:
    """Remove those of the leaving machines that are prepared. In a transaction that has locked the class."""
    held = Assignment.objects.unreleased().filter(vm=OuterRef("vm"))
    ready = list(ClassMachine.objects.filter(~Exists(held), lab_class=lab_class, is_leaving=True))
    if ready:
        lab_class.machine_set.machines.remove(*(row.vm_id for row in ready))
        ClassMachine.objects.filter(pk__in=[row.pk for row in ready]).delete()
