"""Failures whose reason is known: told to everyone, and no *Try again* where that cannot help."""

import pytest
from django.test import Client

from accounts.models import User
from tests.labs import Lab, run_operations
from vms import operations
from vms.models import Operation
from vms.pages import batch_progress, cards, machine_detail

pytestmark = pytest.mark.django_db

# The task, the cluster's words, and what a student reads.
KNOWN = {
    "can't rollback, 'old' is not most recent snapshot on 'tank/vm-102-disk-0'": "only revert to the newest one",
    "can't rollback, more recent snapshots exist": "only revert to the newest one",
    "snapshot feature is not available": "Snapshots of this machine's disks are not possible.",
    "unable to rollback to incomplete snapshot (snapstate = delete)": "This snapshot is incomplete.",
    "snapshot 'old' does not exist": "The machine no longer has this snapshot.",
    "volume 'local:102/vm-102-disk-0.qcow2' does not exist": "A disk of the machine is missing.",
    "lvcreate snapshot error: out of space": "The storage is full.",
    "VM quit/powerdown failed - got timeout": "did not shut down in time",
}


def failed(lab: Lab, ana: User, text: str) -> Operation:
    machine = lab.assign(102, ana)
    lab.pve.faults.tasks_fail("qmreboot", text=text)
    operation, _ = operations.request(machine, "reboot", by=ana)
    run(lab)
    return Operation.objects.get(pk=operation.pk)


def run(lab: Lab) -> None:
    for _ in range(4):
        run_operations()
        lab.clock.advance(5)


def card(lab: Lab, *, for_staff: bool = False) -> cards.Card:
    machine = lab.machine(102)
    return cards.groups([machine], operable={machine.pk}, for_staff=for_staff)[0].cards[0]


@pytest.mark.parametrize("text", KNOWN)
def test_a_student_reads_the_reason_and_is_not_sent_in_circles(building_a: Lab, ana: User, text: str):
    operation = failed(building_a, ana, text)
    assert operation.state == "failed"
    trouble = card(building_a).trouble
    assert KNOWN[text] in trouble
    assert "Try again" not in trouble
    assert KNOWN[text] in machine_detail.history_row(operation, for_staff=False).outcome


def test_the_words_of_the_cluster_are_for_staff(building_a: Lab, ana: User):
    failed(building_a, ana, "volume 'secret-store:102/x' does not exist")
    assert "secret-store" not in card(building_a).trouble
    assert "secret-store" in card(building_a, for_staff=True).detail


def test_of_an_unknown_failure_a_student_may_try_again(building_a: Lab, ana: User):
    operation = failed(building_a, ana, "oops at line 7")
    assert card(building_a).trouble == "“Reboot” failed. Try again, or ask your teacher."
    assert machine_detail.history_row(operation, for_staff=False).outcome == ""


def test_a_lock_is_told_to_everyone(building_a: Lab, ana: User):
    failed(building_a, ana, "VM is locked (backup)")
    assert "locked by an operation in progress (VM is locked (backup)). Try again in half a minute." in (
        card(building_a).trouble
    )


def test_a_missing_permission_is_nothing_to_try_again(building_a: Lab, ana: User):
    machine = building_a.assign(102, ana)
    reason = "Permission check failed (/vms/102, VM.PowerMgmt)"
    building_a.pve.faults.reply("/status/reboot$", status=403, reason=reason, method="POST")
    operations.request(machine, "reboot", by=ana)
    run(building_a)
    assert card(building_a).trouble == "“Reboot” failed. Ask your teacher."


def test_storage_that_cannot_save_says_so_on_the_page(building_a: Lab, ana: User, client: Client):
    machine = building_a.assign(102, ana)
    building_a.pve.guest(102).can_snapshot = False
    operations.request(machine, "snapshot", by=ana, snapshot="my-save-point")
    run(building_a)
    client.force_login(ana)
    page = client.get(f"/vms/{machine.pk}/").content.decode()
    assert "are not possible." in page
    assert "Try again" not in page


def test_in_a_batch_the_reason_is_told_too(building_a: Lab, ana: User):
    operation = failed(building_a, ana, "lvcreate: out of space")
    assert batch_progress._problem(operation, for_staff=False) == "The storage is full. Ask your teacher."
