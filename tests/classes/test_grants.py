"""Clusters that need a grant: who sees, gets and operates machines there."""

import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts.models import User
from classes import access, lifecycle
from classes.enrolment import class_machines, joining, membership
from classes.models import LabClass
from classes.rules import class_is_granted_the_pool
from clusters.models import Cluster
from tests.classes.conftest import grant, invite, lab_class, logged_in
from tests.labs import Lab
from vms import bulk_assignment, operations
from vms.access import machine_rules, rules
from vms.access.context import context_for, contexts_for
from vms.bulk_assignment import Table
from vms.models import Assignment, ClusterGrant, MachineSet, VirtualMachine
from vms.models.grants import people_without_grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def restricted(building_a: Lab) -> Lab:
    Cluster.objects.filter(pk=building_a.row.pk).update(is_restricted=True)
    building_a.row.refresh_from_db()
    return building_a


def pooled(lab: Lab, vmid: int, pool: str) -> VirtualMachine:
    VirtualMachine.objects.filter(cluster=lab.row, vmid=vmid).update(pool=pool)
    return lab.machine(vmid)


def seen(user: User) -> set[int]:
    visible = set(VirtualMachine.objects.visible_to(user).values_list("vmid", flat=True))
    assert visible == set(VirtualMachine.objects.operable_by(user).values_list("vmid", flat=True))
    return visible


def test_a_cluster_needs_no_grant_unless_it_says_so(building_a: Lab, ana: User):
    building_a.assign(101, ana)
    assert not building_a.row.is_restricted
    assert seen(ana) == {101}


def test_a_machine_is_not_there_without_a_grant(restricted: Lab, ana: User):
    machine = restricted.assign(101, ana)
    client = logged_in(ana)
    assert seen(ana) == set()
    assert client.get(f"/vms/{machine.pk}/").status_code == 404
    assert client.post(f"/vms/{machine.pk}/start/").status_code == 404
    grant(ana, restricted)
    assert seen(ana) == {101}
    assert client.get(f"/vms/{machine.pk}/").status_code == 200


def test_a_grant_of_a_pool_is_none_of_its_neighbour(restricted: Lab, ana: User):
    for vmid, pool in (101, "net"), (102, "db"), (103, ""):
        pooled(restricted, vmid, pool)
        restricted.assign(vmid, ana)
    grant(ana, restricted, "net")
    assert seen(ana) == {101}


@pytest.mark.parametrize(("nested", "there"), [(False, {101}), (True, {101, 102})])
def test_a_grant_may_cover_nested_pools(restricted: Lab, ana: User, nested: bool, there: set[int]):
    for vmid, pool in (101, "labs"), (102, "labs/net101"), (103, "labs2/net101"):
        pooled(restricted, vmid, pool)
        restricted.assign(vmid, ana)
    ClusterGrant.objects.create(user=ana, cluster=restricted.row, pool="labs", with_nested_pools=nested)
    assert seen(ana) == there
    machines = [restricted.machine(vmid) for vmid in (101, 102, 103)]
    refused = people_without_grant([(machine.pk, ana.pk) for machine in machines])
    assert {machine.vmid for machine in machines if (machine.pk, ana.pk) not in refused} == there


def test_capitals_tell_nested_pools_apart(restricted: Lab, ana: User):
    pooled(restricted, 101, "Labs/net101")
    restricted.assign(101, ana)
    ClusterGrant.objects.create(user=ana, cluster=restricted.row, pool="labs", with_nested_pools=True)
    assert seen(ana) == set()


def test_a_class_gets_nested_pools_with_the_grant_of_its_teacher(restricted: Lab, tess: User):
    pooled(restricted, 101, "labs/net101")
    given = ClusterGrant.objects.create(user=tess, cluster=restricted.row, pool="labs", with_nested_pools=True)
    made = lifecycle.create(LabClass(name="Networks"), owner=tess, grants=[given])
    assert [machine.vmid for machine in class_machines.available(made)] == [101]
    assert given.where == f"{restricted.row.name}, labs and nested pools"


def test_a_grant_on_one_cluster_is_none_on_another(restricted: Lab, building_b: Lab, ana: User):
    Cluster.objects.update(is_restricted=True)
    restricted.assign(101, ana)
    building_b.assign(101, ana)
    grant(ana, building_b)
    assert [machine.cluster_id for machine in VirtualMachine.objects.visible_to(ana)] == ["building-b"]


def test_a_class_lets_its_members_in_as_long_as_they_are_in_it(restricted: Lab, tess: User, ana: User, ben: User):
    made = lab_class(tess, restricted, 101)
    joining.join(invite(made)[0], ana)
    restricted.assign(102, ben)
    assert (seen(ana), seen(tess), seen(ben)) == ({101}, {101}, set())
    member = made.memberships.get()
    membership.remove(member, way=membership.KEEP, by=tess)
    assert seen(ana) == set()


def test_taking_a_teachers_grant_takes_what_was_handed_on(restricted: Lab, tess: User, ana: User):
    made = lab_class(tess, restricted, 101)
    joining.join(invite(made)[0], ana)
    ClusterGrant.objects.get(user=tess).delete()
    assert not ClusterGrant.objects.exists()
    assert (seen(ana), seen(tess)) == (set(), set())


def test_a_machine_out_of_its_classs_places_is_operated_by_administrators_alone(
    building_a: Lab, tess: User, lab_admin: User, ana: User
):
    made = lab_class(tess, building_a, 101)
    joining.join(invite(made)[0], ana)
    building_a.assign(102, ana)
    assert (seen(ana), seen(tess)) == ({101, 102}, {101})
    operations.request(building_a.machine(101), "start", by=ana)
    given = ClusterGrant.objects.get(machine_set=made.machine_set)
    given.delete()
    assert (seen(ana), seen(tess), 101 in seen(lab_admin)) == ({102}, set(), True)
    context = context_for(building_a.machine(101), person=ana)
    assert "no longer has a grant" in str(class_is_granted_the_pool(context, "start"))
    assert rules.refusal_when_sent(context, "start")
    ClusterGrant.objects.create(machine_set=made.machine_set, cluster=building_a.row)
    assert seen(ana) == {101, 102}


def test_a_machine_that_moves_to_another_pool_is_out_of_place(building_a: Lab, tess: User, ana: User):
    pooled(building_a, 101, "net")
    grant(tess, building_a, "net")
    joining.join(invite(lab_class(tess, building_a, 101))[0], ana)
    assert seen(ana) == {101}
    machine = pooled(building_a, 101, "db")
    assert logged_in(ana).post(f"/vms/{machine.pk}/start/").status_code == 404
    context = contexts_for([machine], person=ana)[machine.pk]
    assert (context.pool_is_granted, contexts_for([machine], person=tess)[machine.pk].pool_is_granted) == (False, False)


def test_administrators_need_no_grant(restricted: Lab, lab_admin: User):
    assert 101 in seen(lab_admin)


def test_the_switcher_leaves_the_cluster_out(restricted: Lab, building_b: Lab, ana: User):
    restricted.assign(101, ana)
    building_b.assign(101, ana)
    page = logged_in(ana).get("/vms/?cluster=")
    assert [option.cluster_id for option in page.context["options"]] == ["building-b"]


def test_nobody_is_assigned_a_machine_that_he_may_not_use(restricted: Lab, ana: User):
    wanted = Assignment(vm=restricted.machine(101), user=ana)
    with pytest.raises(ValidationError, match="only for people with a grant"):
        wanted.full_clean()
    plan = bulk_assignment.plan(Table("ana,net-01"))
    assert [row.reason for row in plan.rows] == [bulk_assignment.AssignmentReason.NO_GRANT]
    grant(ana, restricted)
    wanted.full_clean()
    assert bulk_assignment.plan(Table("ana,net-01")).written


def test_what_was_asked_for_before_the_grant_was_taken_is_not_sent(restricted: Lab, ana: User):
    machine, given = restricted.assign(101, ana), grant(ana, restricted)
    operations.request(machine, "start", by=ana)
    given.delete()
    context = context_for(restricted.machine(101), person=ana)
    assert machine_rules.person_is_granted_the_cluster(context, "start")
    assert rules.refusal_when_sent(context, "start")


@pytest.mark.parametrize("people", [{}, {"user": 1, "machine_set": 1}])
def test_a_grant_is_to_one_person_or_one_set(building_a: Lab, ana: User, people: dict[str, Any]):
    known = {"user": ana, "machine_set": MachineSet.objects.create(name="x")}
    with pytest.raises(IntegrityError):
        ClusterGrant.objects.create(cluster=building_a.row, **{name: known[name] for name in people})


def test_administrators_give_grants_in_the_admin(building_a: Lab, lab_admin: User, ana: User):
    client, where = logged_in(lab_admin), "/admin/vms/clustergrant/add/"
    assert (
        "no pool with this name"
        in client.post(where, {"user": ana.pk, "cluster": "building-a", "pool": "typo"}).content.decode()
    )
    client.post(where, {"user": ana.pk, "cluster": "building-a", "pool": ""})
    assert ClusterGrant.objects.get().user == ana


def test_a_clusters_page_says_which_classes_use_it(networks: LabClass, building_b: Lab, lab_admin: User, ana: User):
    joining.join(invite(networks)[0], ana)
    client = logged_in(lab_admin)
    pages = [
        client.get(f"/admin/clusters/cluster/{pk}/change/").content.decode()
        for pk in (Cluster.objects.get(cluster_id="building-a").pk, building_b.row.pk)
    ]
    assert (
        f'<a href="/admin/classes/labclass/{networks.pk}/change/">Networks 101 (tess)</a>: 2 machines, 1 member'
        in pages[0]
    )
    assert "Networks 101" not in pages[1]


def test_a_set_that_a_class_keeps_is_not_edited_in_the_admin(networks: LabClass, lab_admin: User, ben: User):
    where = f"/admin/vms/machineset/{networks.machine_set_id}/change/"
    logged_in(lab_admin).post(where, {"name": "mine", "stewards": [ben.pk], "machines": []})
    networks.machine_set.refresh_from_db()
    assert networks.machine_set.name != "mine"
    assert not networks.machine_set.stewards.filter(pk=ben.pk).exists()
    assert logged_in(lab_admin).post(where.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_what_the_class_has_already_is_not_offered_once_more(networks: LabClass, building_b: Lab, tess: User):
    client, where = logged_in(tess), f"/classes/{networks.pk}/settings/"
    grant(tess, building_b)
    assert [one.cluster_id for one in client.get(where).context["grants_form"].offered] == ["building-b"]
    class_machines.pass_on_grants(networks, list(access.own_grants(tess)), by=tess)
    assert client.get(where).context["grants_form"] is None


def test_a_handed_on_grant_comes_only_from_ones_own(networks: LabClass, theo: User, building_b: Lab, tess: User):
    foreign = grant(theo, building_b)
    logged_in(tess).post(f"/classes/{networks.pk}/settings/places/", {"grants": [foreign.pk]})
    class_machines.pass_on_grants(networks, [foreign], by=tess)
    assert not networks.machine_set.cluster_grants.filter(cluster=building_b.row).exists()
    own = grant(tess, building_b)
    logged_in(tess).post(f"/classes/{networks.pk}/settings/places/", {"grants": [own.pk]})
    assert networks.machine_set.cluster_grants.filter(cluster=building_b.row).exists()


def test_an_owner_takes_a_grant_back_that_no_machine_needs(networks: LabClass, building_b: Lab, tess: User):
    client, where = logged_in(tess), f"/classes/{networks.pk}/settings/places/"
    own = grant(tess, building_b)
    client.post(where, {"grants": [own.pk]})
    unused = networks.machine_set.cluster_grants.get(cluster=building_b.row)
    used = networks.machine_set.cluster_grants.exclude(pk=unused.pk).get()
    client.post(where, {"remove": unused.pk})
    told = client.post(where, {"remove": used.pk}, follow=True).content.decode()
    assert "The class has 2 machines there. Remove them from the class first." in told
    assert list(networks.machine_set.cluster_grants.all()) == [used]


def test_the_only_grant_is_proposed(building_a: Lab, building_b: Lab, tess: User):
    client = logged_in(tess)
    grant(tess, building_a)
    assert re.search(r'name="grants" value="\d+"[^>]* checked', client.get("/classes/new/").content.decode())
    grant(tess, building_b)
    assert not re.search(r'name="grants" value="\d+"[^>]* checked', client.get("/classes/new/").content.decode())
