"""Weaknesses that portals like this one had: each is tried here, and its legitimate neighbour works."""

from datetime import timedelta
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from classes.enrolment import joining, membership
from classes.models import ClassMachine, Invite, LabClass, Membership
from tests.classes.conftest import grant, invite, lab_class, logged_in
from tests.labs import Lab, run_operations
from vms.models import Assignment, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db


def test_o8_the_same_number_elsewhere_stays_foreign(networks: LabClass, building_a: Lab, building_b: Lab, ana: User):
    joining.join(invite(networks)[0], ana)
    client, own, foreign = logged_in(ana), building_a.machine(101), building_b.machine(101)
    assert client.post(f"/vms/{foreign.pk}/start/", {"cluster": "building-b"}).status_code == 404
    assert client.post(f"/vms/{own.pk}/start/", {"cluster": "building-b"}).status_code == 302
    run_operations()
    assert (building_a.commands(), building_b.commands()) == (1, 0)


def test_o9_an_action_goes_to_its_machines_cluster(networks: LabClass, building_a: Lab, building_b: Lab, tess: User):
    building_b.assign(101, tess)
    client = logged_in(tess)
    client.post("/vms/switch-cluster/", {"cluster": "building-b"})
    client.post(f"/vms/{building_a.machine(101).pk}/start/")
    run_operations()
    assert (building_a.commands(), building_b.commands()) == (1, 0)


def add_machines(teacher: User, made: LabClass, *machines: VirtualMachine) -> Any:
    return logged_in(teacher).post(f"/classes/{made.pk}/machines/adopt/", {"vm": [one.pk for one in machines]})


def test_o10_a_teacher_takes_no_machine_outside_the_granted_pools(building_a: Lab, building_b: Lab, tess: User):
    VirtualMachine.objects.filter(cluster=building_a.row, vmid__in=[101, 102]).update(pool="net")
    grant(tess, building_a, "net")
    made = lab_class(tess, building_a)
    other_pool, other_cluster = building_a.machine(104), building_b.machine(101)
    for foreign in (other_pool, other_cluster):
        add_machines(tess, made, foreign)
        add_machines(tess, made, building_a.machine(101), foreign)
    assert not ClassMachine.objects.exists()
    add_machines(tess, made, building_a.machine(101))
    assert list(made.machine_set.machines.all()) == [building_a.machine(101)]
    assert not VirtualMachine.objects.operable_by(tess).filter(pk__in=[other_pool.pk, other_cluster.pk]).exists()


@pytest.mark.parametrize("text", ["ana,net-04", "ana,building-a,104", "ana,building-b,101", "ana,db-01"])
def test_o10_nor_by_a_table(networks: LabClass, building_b: Lab, tess: User, ana: User, text: str):
    membership.add_people(networks, [ana], at_once=True)
    page = logged_in(tess).post(f"/classes/{networks.pk}/machines/table/", {"text": text})
    assert not page.context["shown"]
    assert "unknown machine" in page.content.decode()


def test_o10_nor_by_hand_nor_from_another_class_nor_from_its_holder(
    networks: LabClass, building_a: Lab, theo: User, ana: User, ben: User
):
    other = lab_class(theo, building_a, name="Databases")
    membership.add_people(other, [ana], at_once=True)
    building_a.assign(103, ben)
    for vmid in (101, 103):
        add_machines(theo, other, building_a.machine(vmid))
    hand = {"vm": building_a.machine(101).pk, "person": ana.pk}
    assert logged_in(theo).post(f"/classes/{other.pk}/machines/assign/", hand).status_code == 400
    assert not other.class_machines.exists()
    add_machines(theo, other, building_a.machine(104))
    assert other.class_machines.count() == 1


def test_o11_a_teacher_changes_nothing_in_another_class(networks: LabClass, building_a: Lab, theo: User, ana: User):
    joining.join(invite(networks)[0], ana)
    mine, client = lab_class(theo, building_a, name="Databases"), logged_in(theo)
    held, member, way_in = Assignment.objects.live().get(), Membership.objects.get(), Invite.objects.get()
    for made in (networks, mine):
        base = f"/classes/{made.pk}"
        for end in (
            f"machines/{held.vm_id}/unassign/", f"machines/{held.vm_id}/drop/", f"people/{member.pk}/remove/",
            f"people/{member.pk}/wait/", f"invite/{way_in.pk}/revoke/", f"co-owners/{ana.pk}/remove/",
        ):  # fmt: skip
            assert client.post(f"{base}/{end}", {"way": "as-it-is"}).status_code == 404
    assert Assignment.objects.live().get() == held
    assert Invite.objects.get().revoked_at is None
    assert Membership.objects.joined().get() == member


def test_o22_invites_cannot_be_guessed_end_and_are_not_kept(networks: LabClass):
    row, token, code = invite(networks)
    kept = " ".join(str(value) for value in Invite.objects.values().get().values())
    assert len(token) >= 22
    assert token not in kept
    assert code.replace("-", "") not in kept
    assert row.expires_at - timezone.now() > timedelta(days=6, hours=23)
    assert row.expires_at - timezone.now() <= timedelta(days=7)
    assert (row.max_uses, len({invite(networks)[1] for _ in range(20)})) == (30, 20)


def test_o22_a_new_invite_ends_the_old_one(networks: LabClass, ana: User):
    old, new = invite(networks)[1], invite(networks)[1]
    assert [logged_in(ana).post(f"/join/{token}/").status_code for token in (old, new)] == [404, 302]


def test_o23_two_students_never_hold_one_machine(networks: LabClass, building_a: Lab, ana: User, ben: User):
    Assignment.objects.create(vm=building_a.machine(101), user=ben)
    joined = joining.join(invite(networks)[0], ana)
    assert joined.machine == building_a.machine(102)
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.create(vm=building_a.machine(102), user=ben)


def test_o40_what_one_was_shown_nobody_else_can_use(networks: LabClass, tess: User, lab_admin: User, ana: User):
    where = f"/classes/{networks.pk}/people/add/"
    shown = logged_in(tess).post(where, {"text": "ana", "at_once": "on"}).context["shown"]
    assert logged_in(ana).post(where, {"shown": shown}).status_code == 404
    logged_in(lab_admin).post(where, {"shown": shown})
    assert not Membership.objects.exists()
    logged_in(tess).post(where, {"shown": shown})
    assert Membership.objects.joined().get().user == ana


def test_o40_how_far_a_batch_is_learns_who_runs_the_class(networks: LabClass, tess: User, theo: User, ana: User):
    joining.join(invite(networks)[0], ana)
    asked = logged_in(tess).post(f"/sets/{networks.machine_set_id}/ask/", {"action": "start", "whose": "all"})
    for stranger in (theo, ana):
        client = logged_in(stranger)
        assert [client.get(asked.url, headers=headers).status_code for headers in ({}, {"HX-Request": "true"})] == [
            404
        ] * 2
        assert client.post(f"{asked.url}cancel/").status_code == 404
    assert Operation.objects.waiting().count() == 1
    assert logged_in(tess).get(asked.url).status_code == 200


def test_o41_what_takes_machines_is_asked_before_and_written_down(networks: LabClass, tess: User, ana: User):
    joining.join(invite(networks)[0], ana)
    held, client = Assignment.objects.live().get(), logged_in(tess)
    for end in (f"machines/{held.vm_id}/unassign/", f"machines/{held.vm_id}/drop/", "delete/"):
        assert client.get(f"/classes/{networks.pk}/{end}").status_code == 200
    assert Assignment.objects.live().get() == held
    LogEntry.objects.all().delete()
    client.post(f"/classes/{networks.pk}/delete/", {"way": "as-it-is"})
    assert not LabClass.objects.exists()
    written = {(entry.content_type.model, entry.actor) for entry in LogEntry.objects.all()}
    assert {("assignment", tess), ("labclass", tess), ("machineset", tess)} <= written
    assert not Operation.objects.exists()
    assert VirtualMachine.objects.present().filter(pk=held.vm_id).exists()


def test_o41_reverting_all_machines_takes_two_steps_and_names_who_did_it(networks: LabClass, tess: User):
    Snapshot.objects.bulk_create([Snapshot(vm=vm, name="baseline") for vm in networks.machine_set.machines.all()])
    where, client = f"/sets/{networks.machine_set_id}/ask/", logged_in(tess)
    words = {"action": "rollback", "whose": "all", "snapshot": "baseline"}
    assert client.post(where, words).status_code == 200
    assert client.post(where, words | {"asked": "yes"}).status_code == 400
    assert not Operation.objects.exists()
    assert client.post(where, words | {"asked": "yes", "sure": "yes"}).status_code == 302
    assert set(Operation.objects.values_list("requested_by_name", "vmid")) == {("tess", 101), ("tess", 102)}
