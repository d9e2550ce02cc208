"""Machine groups: who sees and operates their machines as a manager, and what stays in them."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import AnonymousUser, Group
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, queries
from vms.models import MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db

LIST = "/admin/vms/machineset/"


@pytest.fixture
def networks(building_a: Lab, ana: User) -> MachineSet:
    """101 and 102, with ana as manager."""
    made = MachineSet.objects.create(name="Networks")
    made.machines.set([building_a.machine(101), building_a.machine(102)])
    made.stewards.add(ana)
    return made


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def numbers(machines: Any) -> list[int]:
    return sorted(machines.values_list("vmid", flat=True))


def may(user: Any) -> tuple[list[int], list[int], list[int]]:
    """What somebody sees, operates and describes."""
    machines = VirtualMachine.objects
    operable, managed = numbers(machines.operable_by(user)), numbers(machines.managed_by(user))
    for machine in machines.all() if user.is_authenticated else ():
        expected = (machine.vmid in operable, machine.vmid in managed)
        assert machines.rights(machine.pk, user) == expected, "one by one it is the same"
    return numbers(machines.visible_to(user)), operable, managed


def test_a_steward_sees_operates_and_describes_all_of_his_set(networks: MachineSet, ana: User):
    assert may(ana) == ([101, 102], [101, 102], [101, 102])


def test_a_steward_of_nothing_sees_nothing(networks: MachineSet, ben: User):
    assert may(ben) == may(AnonymousUser()) == ([], [], [])


def test_who_is_no_steward_any_more_sees_nothing(networks: MachineSet, ana: User):
    networks.stewards.remove(ana)
    assert may(ana) == ([], [], [])


def test_a_steward_who_is_disabled_sees_nothing(networks: MachineSet, ana: User):
    ana.is_active = False
    assert may(ana) == ([], [], [])


def test_what_one_holds_one_does_not_describe(networks: MachineSet, building_a: Lab, ben: User):
    building_a.assign(101, ben)
    assert may(ben) == ([101], [101], [])


def test_a_machine_that_is_held_and_looked_after_is_seen_once(networks: MachineSet, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    building_a.assign(104, ana)
    assert may(ana)[0] == [101, 102, 104]


def test_a_lab_administrator_describes_every_machine_and_an_auditor_none(
    building_a: Lab, lab_admin: User, auditor: User
):
    assert (len(may(lab_admin)[2]), may(auditor)[2]) == (4, [])


def test_who_sees_what_is_one_query(networks: MachineSet, ana: User):
    with queries() as seen:
        list(VirtualMachine.objects.visible_to(ana))
    assert len(seen) == 1


def test_the_page_of_a_steward_costs_no_more_queries_than_that_of_a_holder(
    client: Client, networks: MachineSet, building_a: Lab, ana: User, ben: User
):
    costs = []
    building_a.assign(104, ben)
    for person in ana, ben:
        client.force_login(person)
        with queries() as seen:
            assert client.get("/vms/").status_code == 200
        costs.append(len(seen))
    assert costs[0] == costs[1]


def test_a_machine_that_is_gone_stays_in_its_set_and_is_marked(lena: Client, networks: MachineSet):
    VirtualMachine.objects.filter(vmid=101).update(gone_at=timezone.now())
    assert networks.machines.count() == 2
    assert b"net-01 (building-a/101). The action in the list" in lena.get(f"{LIST}{networks.pk}/change/").content


def test_what_is_gone_is_taken_out_by_an_action(lena: Client, networks: MachineSet):
    VirtualMachine.objects.filter(vmid=101).update(gone_at=timezone.now())
    lena.post(LIST, {"action": "drop_gone", "_selected_action": [networks.pk]})
    assert numbers(networks.machines) == [102]


def test_a_name_stands_for_one_set_whatever_the_case(networks: MachineSet):
    with pytest.raises(IntegrityError), transaction.atomic():
        MachineSet.objects.create(name="NETWORKS")


def test_a_name_that_exists_is_told_in_the_form(lena: Client, networks: MachineSet):
    assert (
        b"already exists, perhaps in other upper or lower case"
        in lena.post(f"{LIST}add/", {"name": "networks"}).content
    )


def databases(lab: Lab, manager: User) -> dict[str, Any]:
    """A set for the form, and the tick for its manager."""
    manager.groups.add(Group.objects.get(name="Teacher"))
    chosen = {"stewards": [manager.pk], "confirmed": [manager.pk]}
    return {"name": "Databases", "machines": [lab.machine(103).pk], **chosen}


def test_a_lab_administrator_makes_a_set(lena: Client, building_a: Lab, ana: User):
    lena.post(f"{LIST}add/", databases(building_a, ana))
    assert may(ana)[1] == [103]


def test_an_auditor_looks_at_sets_alone(client: Client, networks: MachineSet, auditor: User):
    client.force_login(auditor)
    assert client.get(LIST).status_code == 200
    assert client.post(f"{LIST}add/", {"name": "Mine"}).status_code == 403
    assert client.post(f"{LIST}{networks.pk}/change/", {"name": "Mine"}).status_code == 403


def test_the_trail_tells_who_became_manager_of_what(lena: Client, building_a: Lab, ana: User, lab_admin: User):
    lena.post(f"{LIST}add/", databases(building_a, ana))
    entries = LogEntry.objects.get_for_object(MachineSet.objects.get())
    assert {entry.actor for entry in entries} == {lab_admin}
    text = lena.get("/admin/auditlog/logentry/").content.decode()
    assert "managers: added ana" in text
    assert "machines: added net-03 (building-a/103)" in text


def test_a_cluster_goes_with_its_machines_from_their_sets(networks: MachineSet, building_a: Lab):
    building_a.row.delete()
    assert networks.machines.count() == 0
