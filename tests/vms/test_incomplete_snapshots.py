"""Snapshots whose deletion or saving has not finished: nobody can revert to them, and staff read how to clear them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab, run_operations
from vms import inventory, operations
from vms.models import MachineSet, Operation, Snapshot, VirtualMachine
from vms.operations import batches

pytestmark = pytest.mark.django_db

BASELINE, POINT = "baseline", "my-save-point"


@pytest.fixture
def hers(building_a: Lab, ana: User, lab_admin: User) -> VirtualMachine:
    """The cluster deletes her restore point for ever, and has saved the baseline for ever."""
    machine = building_a.assign(101, ana)
    for name in (BASELINE, POINT):
        operations.request(machine, "snapshot", by=lab_admin, snapshot=name)
        finish(building_a)
    building_a.pve.faults.snapshot_half_done(101, BASELINE, "prepare")
    building_a.pve.faults.snapshot_half_done(101, POINT, "delete")
    read(building_a, machine)
    return machine


def finish(lab: Lab) -> None:
    while Operation.objects.open().exists():
        run_operations()
        lab.clock.advance(30)


def read(lab: Lab, machine: VirtualMachine) -> None:
    VirtualMachine.objects.filter(pk=machine.pk).update(details_due_at=None)
    inventory.read_details(lab.config)


def page(client: Client, machine: VirtualMachine, person: User) -> str:
    client.force_login(person)
    return client.get(reverse("vms-machine", args=[machine.pk])).content.decode()


def test_they_are_shown_as_incomplete_without_revert(client: Client, hers: VirtualMachine, ana: User):
    found = page(client, hers, ana)
    assert "Incomplete: saving it has not finished." in found
    assert "Incomplete: deleting it has not finished." in found
    assert 'id="revert-' not in found
    assert "delsnapshot" not in found
    assert "Save a restore point" in found


def test_staff_read_how_to_clear_them(client: Client, hers: VirtualMachine, lab_admin: User):
    found = page(client, hers, lab_admin)
    assert "To clear it, run this on node pve1:" in found
    assert "<code>qm delsnapshot 101 my-save-point --force 1</code>" in found


def test_the_command_for_containers_is_another_one(
    client: Client, building_a: Lab, hers: VirtualMachine, lab_admin: User
):
    VirtualMachine.objects.filter(pk=hers.pk).update(kind="lxc")
    assert "pct delsnapshot 101 my-save-point --force 1" in page(client, hers, lab_admin)


def test_what_is_in_progress_has_no_command_yet(client: Client, hers: VirtualMachine, lab_admin: User):
    VirtualMachine.objects.filter(pk=hers.pk).update(lock="snapshot-delete")
    assert "delsnapshot" not in page(client, hers, lab_admin)


def test_nobody_reverts_to_them(client: Client, building_a: Lab, hers: VirtualMachine, ana: User):
    before = building_a.pve.count("POST", "/rollback$")
    client.force_login(ana)
    url = reverse("vms-revert", args=[hers.pk, POINT])
    answer = client.get(url)
    assert (answer.status_code, b"is incomplete" in answer.content) == (409, True)
    assert b"is incomplete" in client.post(url, {"sure": "yes"}, follow=True).content
    with pytest.raises(operations.Refused, match="is incomplete"):
        operations.request(hers, "rollback", by=ana, snapshot=POINT)
    assert building_a.pve.count("POST", "/rollback$") == before


def test_a_class_reverts_no_machine_to_them(hers: VirtualMachine, lab_admin: User):
    group = MachineSet.objects.create(name="net")
    group.machines.add(hers)
    batch = batches.request_many([hers], "rollback", by=lab_admin, machine_set=group, snapshot=BASELINE)
    [item] = batch.items.all()
    assert "is incomplete" in item.rendered_refusal


def test_a_new_restore_point_gets_the_other_name(client: Client, building_a: Lab, hers: VirtualMachine, ana: User):
    client.force_login(ana)
    client.post(reverse("vms-save-point", args=[hers.pk]))
    finish(building_a)
    last: Any = Operation.objects.order_by("requested_at").last()
    assert (last.action, last.snapshot, last.state) == ("snapshot", "my-save-point-2", "done")
    found = page(client, hers, ana)
    assert ('id="revert-my-save-point-2"' in found, "older" in found) == (True, False)


def test_a_restore_point_whose_other_name_is_taken_is_replaced_only_in_its_place(
    client: Client, building_a: Lab, hers: VirtualMachine, ana: User
):
    client.force_login(ana)
    url = reverse("vms-save-point", args=[hers.pk])
    client.post(url)
    finish(building_a)
    assert b"An incomplete restore point is in the way." in client.post(url, {"sure": "yes"}, follow=True).content
    client.post(url, {"sure": "yes", "first": "yes"})
    finish(building_a)
    steps = [(one.action, one.snapshot, one.state) for one in Operation.objects.order_by("requested_at")][-2:]
    assert steps == [("delete-snapshot", "my-save-point-2", "done"), ("snapshot", "my-save-point-2", "done")]


def test_they_are_read_again_until_they_are_cleared(building_a: Lab, hers: VirtualMachine):
    hers.refresh_from_db()
    assert hers.details_due_at - hers.details_at == inventory.details.RETRY_DELAYS[0]
    building_a.pve.faults.undo()
    read(building_a, hers)
    assert list(Snapshot.objects.filter(vm=hers).values_list("state", flat=True)) == ["", ""]


def test_where_disks_can_have_no_snapshots_nothing_is_offered(client: Client, building_a: Lab, ana: User):
    machine = building_a.assign(104, ana)
    client.force_login(ana)
    page = reverse("vms-machine", args=[machine.pk])
    building_a.pve.guest(104).can_snapshot = False
    inventory.read_details(building_a.config)
    found = client.get(page).content.decode()
    assert "Snapshots of this machine&#x27;s disks are not possible." in found
    assert 'id="save-point"' not in found
    building_a.pve.guest(104).can_snapshot = True
    VirtualMachine.objects.update(details_due_at=None)
    inventory.read_details(building_a.config)
    assert 'id="save-point"' in client.get(page).content.decode()
