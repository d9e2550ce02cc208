"""What identifies a machine, who holds it, and what the database itself refuses."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster
from tests.labs import Lab
from vms.models import Assignment, ClusterSync, Operation, VirtualMachine

pytestmark = pytest.mark.django_db


def visible(user: User | AnonymousUser) -> set[str]:
    return {f"{vm.cluster_id}/{vm.vmid}" for vm in VirtualMachine.objects.visible_to(user)}


def operable(user: User | AnonymousUser) -> set[str]:
    return {f"{vm.cluster_id}/{vm.vmid}" for vm in VirtualMachine.objects.operable_by(user)}


def record(machine: VirtualMachine, **fields: Any) -> Operation:
    """An operation that was let through, and ended if its state says so."""
    now = timezone.now()
    times = {"admitted_at": now, "finished_at": None if fields.get("state", "requested") in Operation.OPEN else now}
    named = {"vm": machine, "cluster_id": machine.cluster_id, "vmid": machine.vmid, "action": "start"}
    return Operation.objects.create(**named | times | fields)


# Identity


def test_a_number_may_stand_for_one_machine_on_each_cluster(building_a: Lab, building_b: Lab):
    assert VirtualMachine.objects.filter(vmid=101).count() == 2


def test_a_number_stands_for_one_machine_of_a_cluster(building_a: Lab):
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualMachine.objects.create(cluster=building_a.row, vmid=101, node="pve2", status="stopped")


def test_the_cluster_of_a_machine_is_known_by_its_id(building_a: Lab):
    assert building_a.machine(101).cluster_id == "building-a"


def test_a_machine_without_a_name_is_shown_by_its_number():
    assert VirtualMachine(vmid=101).display_name == "VM 101"


# Who sees and operates what


def test_a_student_sees_and_operates_what_is_assigned(building_a: Lab, building_b: Lab, ana: User):
    building_a.assign(101, ana)
    assert visible(ana) == operable(ana) == {"building-a/101"}


def test_a_student_sees_nothing_of_another(building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    assert visible(ben) == operable(ben) == set()


def test_what_was_held_once_is_not_seen(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    Assignment.objects.end()
    assert visible(ana) == operable(ana) == set()


def test_who_is_disabled_sees_nothing(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    ana.is_active = False
    assert visible(ana) == operable(ana) == set()


def test_nobody_sees_nothing(building_a: Lab):
    assert visible(AnonymousUser()) == operable(AnonymousUser()) == set()


def test_a_lab_administrator_sees_and_operates_everything(building_a: Lab, lab_admin: User):
    assert len(visible(lab_admin)) == len(operable(lab_admin)) == 4


def test_an_auditor_sees_everything_and_operates_nothing(building_a: Lab, auditor: User):
    assert (len(visible(auditor)), operable(auditor)) == (4, set())


def test_a_superuser_sees_and_operates_everything(building_a: Lab, admin: User):
    assert len(visible(admin)) == len(operable(admin)) == 4


def test_permissions_count_for_staff_alone(building_a: Lab, ana: User):
    ana.user_permissions.set(Permission.objects.filter(codename__endswith="_virtualmachine"))
    assert visible(ana) == operable(ana) == set()


def test_staff_without_permissions_see_what_is_assigned(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    ana.is_staff = True
    assert visible(ana) == operable(ana) == {"building-a/101"}


# Assignments


def test_a_machine_is_held_by_one_person(building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        building_a.assign(101, ben)


def test_a_machine_that_was_given_back_can_be_held_by_another(building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    Assignment.objects.end()
    with pytest.raises(IntegrityError), transaction.atomic():
        building_a.assign(101, ben)
    Assignment.objects.update(released_at=timezone.now())
    building_a.assign(101, ben)
    assert (visible(ana), visible(ben)) == (set(), {"building-a/101"})


def test_ending_leaves_the_time_of_earlier_ends(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    Assignment.objects.end()
    before = Assignment.objects.get().ended_at
    assert Assignment.objects.end() == 0
    assert Assignment.objects.get().ended_at == before


def test_a_cluster_whose_machine_somebody_holds_is_not_deleted(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    with pytest.raises(ProtectedError) as refused:
        building_a.row.delete()
    assert refused.value.protected_objects == {Assignment.objects.get()}
    assert Cluster.objects.filter(cluster_id="building-a").exists()


def test_a_cluster_takes_its_machines_and_released_assignments_along(building_a: Lab, building_b: Lab, ana: User):
    building_a.assign(101, ana)
    Assignment.objects.end()
    Assignment.objects.update(released_at=timezone.now())
    building_a.row.delete()
    assert set(VirtualMachine.objects.values_list("cluster_id", flat=True)) == {"building-b"}
    assert not Assignment.objects.exists()


def test_what_was_done_outlives_the_machine_and_the_person(building_a: Lab, ana: User):
    kept = record(building_a.machine(101), requested_by=ana, requested_by_name="ana")
    building_a.row.delete()
    ana.delete()
    kept.refresh_from_db()
    assert (kept.vm, kept.requested_by, kept.cluster_id, kept.vmid) == (None, None, "building-a", 101)
    assert kept.requested_by_name == "ana"


# Operations


@pytest.mark.parametrize("state", ["requested", "sent", "running"])
def test_a_machine_has_one_open_operation(building_a: Lab, state: str):
    record(building_a.machine(101), state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        record(building_a.machine(101))


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "unknown"])
def test_an_ended_operation_makes_room_for_another(building_a: Lab, state: str):
    record(building_a.machine(101), state=state)
    assert record(building_a.machine(101)).is_open


def test_the_same_number_elsewhere_has_operations_of_its_own(building_a: Lab, building_b: Lab):
    record(building_a.machine(101))
    assert record(building_b.machine(101)).is_open


def test_the_oldest_operation_is_due_first(building_a: Lab):
    first, second = record(building_a.machine(102)), record(building_a.machine(101))
    assert list(Operation.objects.due(timezone.now())) == [first, second]


# Turns of a sync


def test_a_turn_is_taken_once(building_a: Lab):
    now = timezone.now()
    ClusterSync.objects.update(due_at=now)
    assert [bool(ClusterSync.claim("building-a", now)) for _ in range(2)] == [True, False]


def test_a_turn_that_a_dead_worker_took_comes_again(building_a: Lab):
    now = timezone.now()
    ClusterSync.claim("building-a", now)
    assert ClusterSync.claim("building-a", now + ClusterSync.LEASE)
