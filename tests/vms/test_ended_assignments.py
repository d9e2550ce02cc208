"""Operations that were requested and not sent are cancelled with the end of the assignment."""

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from tests.admin_pages import confirm
from tests.labs import Lab, admit, run_operations
from vms import operations, preparation
from vms.models import Assignment, Operation, VirtualMachine

pytestmark = pytest.mark.django_db

State = Operation.State
BULK = "/admin/vms/assignment/bulk/"


@pytest.fixture
def waiting(building_a: Lab, ana: User) -> Operation:
    """Ana wants her 101 started."""
    return operations.request(building_a.assign(101, ana), "start", by=ana)[0]


def settled(operation: Operation) -> tuple[str, str]:
    operation.refresh_from_db()
    return operation.state, operation.outcome


@pytest.mark.parametrize("admitted", [False, True])
def test_what_waits_is_cancelled_with_the_assignment(waiting: Operation, admitted: bool):
    if admitted:
        admit()
    Assignment.objects.all().end()
    assert settled(waiting) == (State.CANCELLED, "The machine was unassigned before the operation was sent.")
    assert waiting.finished_at


def test_the_bulk_assignment_cancels_what_waits(waiting: Operation, client: Client, admin: User, ben: User):
    client.force_login(admin)
    page = client.post(BULK, {"text": "ben,net-01", "end_first": "on", "prepare": "as-it-is"})
    confirm(client, BULK, page)
    assert Assignment.objects.live().get().user == ben
    assert settled(waiting) == (State.CANCELLED, "The machine was unassigned before the operation was sent.")


def test_the_click_of_the_next_holder_is_his_own(waiting: Operation, building_a: Lab, ben: User):
    preparation.free(Assignment.objects.all(), way="as-it-is", by=ben)
    operation, new = operations.request(building_a.assign(101, ben), "start", by=ben)
    run_operations()
    assert (new, operation.requested_by, building_a.commands()) == (True, ben, 1)


def test_what_was_sent_goes_on(waiting: Operation):
    run_operations()
    Assignment.objects.all().end()
    assert settled(waiting) == (State.RUNNING, "")


def test_of_a_worker_who_holds_it_nothing_is_sent(waiting: Operation, building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    VirtualMachine.objects.update(hardware_id="known")
    monkeypatch.setattr("vms.inventory.identity.is_another", lambda *_: Assignment.objects.all().end() == 0)
    run_operations()
    assert (settled(waiting)[0], building_a.commands()) == (State.CANCELLED, 0)


def test_what_others_want_of_the_machine_still_waits(building_a: Lab, ana: User, admin: User):
    asked = operations.request(building_a.assign(101, ana), "start", by=admin)[0]
    Assignment.objects.all().end()
    assert settled(asked)[0] == State.REQUESTED


def test_what_he_wants_of_his_other_machines_still_waits(waiting: Operation, building_a: Lab, ana: User):
    building_a.assign(104, ana)
    Assignment.objects.filter(vm__vmid=104).end()
    assert settled(waiting)[0] == State.REQUESTED


def test_an_ending_that_is_taken_back_cancels_nothing(waiting: Operation):
    with transaction.atomic():
        Assignment.objects.all().end()
        transaction.set_rollback(True)
    assert settled(waiting)[0] == State.REQUESTED
