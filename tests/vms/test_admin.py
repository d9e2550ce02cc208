"""Machines, assignments and operations in the admin: assignments are written there, the rest is looked at."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.admin import ClusterAdmin
from clusters.models import Cluster
from tests.labs import Lab
from vms.models import Assignment, Operation, VirtualMachine

pytestmark = pytest.mark.django_db


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:vms_{name}", args=args)


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


@pytest.fixture
def otto(client: Client, auditor: User) -> Client:
    client.force_login(auditor)
    return client


@pytest.fixture
def operation(building_a: Lab, ana: User) -> Operation:
    machine = building_a.machine(101)
    return Operation.objects.create(
        vm=machine, cluster_id="building-a", vmid=101, vm_name="net-01", action="start", requested_by_name="ana"
    )


def test_machines_are_listed_with_who_holds_them(lena: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    text = lena.get(page("virtualmachine_changelist")).content.decode()
    assert text.count("net-0") >= 4
    assert f'<td class="field-assignee"><a href="/admin/accounts/user/{ana.pk}/change/">ana</a></td>' in text


def test_who_held_a_machine_once_is_not_named(lena: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    Assignment.objects.end()
    assert b">ana</a></td>" not in lena.get(page("virtualmachine_changelist")).content


@pytest.mark.parametrize("words", ["net-01", "101", "building-a"])
def test_machines_are_found_by_name_number_and_cluster(lena: Client, building_a: Lab, building_b: Lab, words: str):
    text = lena.get(page("virtualmachine_changelist"), {"q": words}).content.decode()
    assert "net-01" in text
    assert "db-02" not in text


@pytest.mark.parametrize("model", ["virtualmachine", "operation"])
def test_what_is_observed_is_not_added_by_hand(admin_client: Client, model: str):
    assert admin_client.get(page(f"{model}_add")).status_code == 403


def test_what_is_observed_of_a_machine_is_not_edited(admin_client: Client, building_a: Lab):
    url = page("virtualmachine_change", building_a.machine(101).pk)
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"name": "renamed", "vmid": 1}).status_code == 302
    assert building_a.machine(101).name == "net-01"


def test_a_machine_is_not_deleted(admin_client: Client, building_a: Lab):
    assert (
        admin_client.post(page("virtualmachine_delete", building_a.machine(101).pk), {"post": "yes"}).status_code == 403
    )
    data = {"action": "delete_selected", "_selected_action": [building_a.machine(101).pk], "post": "yes"}
    admin_client.post(page("virtualmachine_changelist"), data)
    assert VirtualMachine.objects.count() == 4


@pytest.mark.parametrize("is_released", [False, True])
@pytest.mark.parametrize("from_the_list", [False, True])
def test_an_assignment_that_keeps_its_machine_from_others_is_not_deleted(
    admin_client: Client, building_a: Lab, ana: User, is_released: bool, from_the_list: bool
):
    building_a.assign(101, ana)
    row = Assignment.objects.get()
    Assignment.objects.all().end()
    if is_released:
        Assignment.objects.update(released_at=timezone.now())
    url = page("assignment_changelist") if from_the_list else page("assignment_delete", row.pk)
    action = {"action": "delete_selected", "_selected_action": [row.pk]} if from_the_list else {}
    assert admin_client.post(url, action | {"post": "yes"}).status_code == (302 if is_released else 200)
    assert Assignment.objects.exists() is not is_released


def test_an_operation_is_neither_edited_nor_deleted(admin_client: Client, operation: Operation):
    assert admin_client.post(page("operation_change", operation.pk), {"state": "done"}).status_code == 403
    assert admin_client.post(page("operation_delete", operation.pk), {"post": "yes"}).status_code == 403
    operation.refresh_from_db()
    assert operation.state == "requested"


def test_an_operation_tells_who_did_what_to_which_machine(otto: Client, operation: Operation):
    text = otto.get(page("operation_change", operation.pk)).content.decode()
    for fact in ("Start", "net-01", "101", "building-a", "ana"):
        assert fact in text


def test_a_lab_administrator_assigns_a_machine(lena: Client, building_a: Lab, ana: User):
    answer = lena.post(page("assignment_add"), {"vm": building_a.machine(101).pk, "user": ana.pk})
    assert answer.status_code == 302
    assert list(VirtualMachine.objects.operable_by(ana)) == [building_a.machine(101)]


def test_a_machine_that_somebody_holds_is_not_assigned_again(lena: Client, building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    answer = lena.post(page("assignment_add"), {"vm": building_a.machine(101).pk, "user": ben.pk})
    assert b"This machine is assigned or not ready" in answer.content
    assert Assignment.objects.get().user == ana


def test_an_assignment_needs_a_machine(lena: Client, ana: User):
    assert b"This field is required" in lena.post(page("assignment_add"), {"user": ana.pk}).content


def test_an_assignment_is_not_passed_on(lena: Client, building_a: Lab, ana: User, ben: User):
    machine = building_a.assign(101, ana)
    lena.post(page("assignment_change", Assignment.objects.get().pk), {"vm": machine.pk, "user": ben.pk})
    assert Assignment.objects.get().user == ana


def end(client: Client) -> Any:
    data = {
        "action": "end",
        "_selected_action": list(Assignment.objects.values_list("pk", flat=True)),
        "sure": "yes",
        "way": "as-it-is",
    }
    return client.post(page("assignment_changelist"), data, follow=True)


def test_an_assignment_is_ended_and_kept(lena: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    assert b"1 assignment ended." in end(lena).content
    assert Assignment.objects.get().ended_at
    assert not VirtualMachine.objects.visible_to(ana).exists()


def test_the_history_tells_who_ended_it(lena: Client, building_a: Lab, ana: User, lab_admin: User):
    building_a.assign(101, ana)
    end(lena)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_change_message()) == (lab_admin, "Ended.")


def test_an_auditor_ends_and_assigns_nothing(otto: Client, building_a: Lab, ana: User, ben: User):
    building_a.assign(101, ana)
    end(otto)
    assert otto.post(page("assignment_add"), {"vm": building_a.machine(102).pk, "user": ben.pk}).status_code == 403
    assert Assignment.objects.get().ended_at is None


@pytest.mark.parametrize("model", ["virtualmachine", "assignment", "operation"])
def test_an_auditor_looks_at_everything(otto: Client, building_a: Lab, model: str):
    assert otto.get(page(f"{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", ["virtualmachine", "assignment", "operation"])
def test_a_student_is_sent_to_the_login(client: Client, ana: User, model: str):
    client.force_login(ana)
    assert client.get(page(f"{model}_changelist")).status_code == 302


def test_the_admin_asks_no_cluster(lena: Client, building_a: Lab):
    lena.get(page("virtualmachine_changelist"))
    lena.get(page("virtualmachine_change", building_a.machine(101).pk))
    assert building_a.pve.count() == 0


def test_an_assignment_that_the_database_refuses_is_told(
    lena: Client, building_a: Lab, ana: User, ben: User, monkeypatch: pytest.MonkeyPatch
):
    """The form saw nobody, because the other administrator was as fast."""
    building_a.assign(101, ana)
    monkeypatch.setattr(Assignment, "validate_constraints", lambda *_, **__: None)
    data = {"vm": building_a.machine(101).pk, "user": ben.pk}
    assert b"somebody assigned or deleted this machine" in lena.post(page("assignment_add"), data, follow=True).content
    assert Assignment.objects.get().user == ana


@pytest.mark.parametrize("from_the_list", [True, False])
def test_a_cluster_whose_machine_is_given_away_while_it_is_deleted_stays(
    lena: Client, building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch, from_the_list: bool
):
    looked = ClusterAdmin.get_deleted_objects

    def look_and_give(*args: Any) -> Any:
        found = looked(*args)
        building_a.assign(101, ana)
        return found

    monkeypatch.setattr(ClusterAdmin, "get_deleted_objects", look_and_give)
    action = {"action": "delete_selected", "_selected_action": [building_a.row.pk]} if from_the_list else {}
    name = "clusters_cluster_changelist" if from_the_list else "clusters_cluster_delete"
    url = reverse(f"admin:{name}", args=[] if from_the_list else [building_a.row.pk])
    assert b"End the assignments first" in lena.post(url, {"post": "yes", **action}, follow=True).content
    assert Cluster.objects.exists()
