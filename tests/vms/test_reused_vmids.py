"""A VMID that another machine has now: the assignee of the old machine operates nothing."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, admit, run_operations
from vms import inventory, operations
from vms.models import Operation, VirtualMachine

pytestmark = pytest.mark.django_db

State = Operation.State
UUID = "99999999-2222-4333-8444-555555555555"
ANOTHER = "This VMID now belongs to another machine. Ask your teacher."
CONFIG = "/config$"


def hers(lab: Lab, vmid: int, user: User) -> VirtualMachine:
    """A machine that the portal knows well, as that of this person."""
    machine = lab.assign(vmid, user)
    inventory.read_details(lab.config)
    lab.pve.clear_requests()
    return machine


def use_again(lab: Lab, vmid: int, **facts: Any) -> None:
    """Another machine gets the number, between two looks at the details."""
    lab.pve.remove_guest(vmid)
    options = facts.pop("options")
    lab.pve.add_guest(vmid, node="pve1", **facts).options.update(options)
    lab.sync()
    lab.pve.clear_requests()


def click(machine: VirtualMachine, by: User, action: str = "start", **words: str) -> Operation:
    operation = operations.request(machine, action, by=by, **words)[0]
    run_operations()
    operation.refresh_from_db()
    return operation


OTHERS = {
    "same name": (101, {"name": "net-01", "options": {"smbios1": f"uuid={UUID}"}}),
    "renamed": (101, {"name": "exam-server", "options": {"smbios1": f"uuid={UUID}"}}),
    "container": (103, {"name": "net-03", "kind": "lxc", "options": {"net0": "name=eth0,hwaddr=BC:24:11:00:00:99"}}),
}


@pytest.mark.parametrize(("vmid", "facts"), OTHERS.values(), ids=OTHERS)
def test_a_machine_that_has_the_number_now_is_not_started(building_a: Lab, ana: User, vmid: int, facts: Any):
    machine = hers(building_a, vmid, ana)
    use_again(building_a, vmid, **facts)
    operation = click(machine, ana)
    assert (operation.state, operation.outcome, building_a.pve.count("POST")) == (State.FAILED, ANOTHER, 0)
    assert building_a.pve.guest(vmid).status == "stopped"


@pytest.mark.parametrize(("vmid", "facts"), OTHERS.values(), ids=OTHERS)
def test_the_next_look_puts_the_new_machine_in_its_place(building_a: Lab, ana: User, vmid: int, facts: Any):
    machine = hers(building_a, vmid, ana)
    use_again(building_a, vmid, **facts)
    click(machine, ana)
    inventory.read_details(building_a.config)
    machine.refresh_from_db()
    assert machine.gone_at
    assert not VirtualMachine.objects.present().operable_by(ana).exists()


@pytest.mark.parametrize("action", ["snapshot", "rollback", "delete-snapshot"])
def test_its_snapshots_are_left_alone(building_a: Lab, ana: User, action: str):
    machine = hers(building_a, 101, ana)
    building_a.pve.guest(101).options["smbios1"] = f"uuid={UUID}"
    operation = click(machine, ana, action, snapshot="my-save-point")
    assert (operation.state, operation.outcome) == (State.FAILED, ANOTHER)
    assert building_a.pve.count("POST") == building_a.pve.count("DELETE") == 0


@pytest.mark.parametrize("vmid", [101, 103])
def test_the_same_machine_is_asked_once_who_it_is_and_started(building_a: Lab, ana: User, vmid: int):
    operation = click(hers(building_a, vmid, ana), ana)
    assert (operation.state, building_a.pve.count("GET", CONFIG), building_a.commands()) == (State.RUNNING, 1, 1)


def test_a_container_that_keeps_one_of_its_addresses_is_the_same(building_a: Lab, ana: User):
    building_a.pve.guest(103).options["net1"] = "name=eth1,hwaddr=BC:24:11:00:00:98"
    machine = hers(building_a, 103, ana)
    building_a.pve.guest(103).options["net0"] = "name=eth0,hwaddr=BC:24:11:00:00:99"
    assert (click(machine, ana).state, building_a.commands()) == (State.RUNNING, 1)


@pytest.mark.parametrize("vmid", [101, 103])
def test_of_what_nothing_is_known_nothing_is_asked(building_a: Lab, ana: User, vmid: int):
    operation = click(building_a.assign(vmid, ana), ana)
    assert (operation.state, building_a.pve.count("GET", CONFIG)) == (State.RUNNING, 0)


@pytest.mark.parametrize("status", [403, 500, 596])
def test_when_it_cannot_be_asked_who_it_is_nothing_is_sent(building_a: Lab, ana: User, status: int):
    machine = hers(building_a, 101, ana)
    building_a.pve.faults.reply(CONFIG, status=status, reason="not now")
    operation = click(machine, ana)
    assert (operation.state, operation.sent_at, building_a.commands()) == (State.FAILED, None, 0)


def test_when_the_look_takes_too_long_nothing_is_sent(building_a: Lab, ana: User, impatient: None):
    machine = hers(building_a, 101, ana)
    building_a.pve.faults.hang(CONFIG)
    assert (click(machine, ana).state, building_a.commands()) == (State.FAILED, 0)


def test_who_was_held_up_by_the_look_sends_nothing(building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch):
    machine = hers(building_a, 101, ana)
    operations.request(machine, "start", by=ana)
    admit()
    operation = Operation.objects.get()
    monkeypatch.setattr(Operation, "is_leased_for", lambda *_: not building_a.pve.count("GET", CONFIG))
    operations.take_step(operation)
    assert (operation.state, building_a.pve.count("GET", CONFIG), building_a.commands()) == (State.FAILED, 1, 0)


def test_what_is_cancelled_during_the_look_is_not_sent(building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch):
    machine = hers(building_a, 101, ana)
    operations.request(machine, "start", by=ana)

    def cancelled(*args: Any) -> bool:
        Operation.objects.update(state=State.CANCELLED, finished_at=timezone.now())
        return False

    monkeypatch.setattr("vms.inventory.identity.is_another", cancelled)
    run_operations()
    assert (Operation.objects.get().state, building_a.commands()) == (State.CANCELLED, 0)
