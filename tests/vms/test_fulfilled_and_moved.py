"""Requests for what is so already, and for machines that have moved since the list was read."""

import pytest

from accounts.models import User
from tests.labs import POWER, Lab, run_operations
from vms import operations
from vms.models import Operation, VirtualMachine

pytestmark = pytest.mark.django_db


def run(lab: Lab, machine: VirtualMachine, action: str, ana: User, **more: str) -> Operation:
    operation, _ = operations.request(machine, action, by=ana, **more)
    for _ in range(5):
        run_operations()
        lab.clock.advance(3)
    return Operation.objects.get(pk=operation.pk)


@pytest.mark.parametrize("vmid", [101, 103], ids=["a machine, by its task", "a container, by the answer"])
def test_a_start_of_what_runs_already_is_done(building_a: Lab, ana: User, vmid: int):
    machine = building_a.assign(vmid, ana)
    building_a.pve.guest(vmid).status = "running"
    done = run(building_a, machine, "start", ana)
    assert (done.state, done.outcome, building_a.machine(vmid).status) == ("done", "The machine is running.", "running")


def test_a_stop_of_a_container_that_is_off_already_is_done(building_a: Lab, ana: User):
    building_a.pve.guest(103).status = "running"
    building_a.sync()
    machine = building_a.assign(103, ana)
    building_a.pve.guest(103).status = "stopped"
    done = run(building_a, machine, "stop", ana)
    assert (done.state, done.outcome) == ("done", "The machine is stopped.")


def test_a_reboot_of_what_is_off_is_no_success(building_a: Lab, ana: User):
    machine = building_a.assign(102, ana)
    building_a.pve.guest(102).status = "stopped"
    assert run(building_a, machine, "reboot", ana).state == "failed"


def test_deleting_a_snapshot_that_is_gone_is_done(building_a: Lab, ana: User):
    machine = building_a.assign(102, ana)
    done = run(building_a, machine, "delete-snapshot", ana, snapshot="my-save-point")
    assert (done.state, done.outcome) == ("done", "The machine no longer has this snapshot.")


@pytest.mark.parametrize("is_known", [True, False], ids=["seen before sending", "seen when it is sent"])
def test_a_machine_that_moved_is_followed_and_sent_to_once(building_a: Lab, ana: User, is_known: bool):
    machine = building_a.assign(101, ana)
    if is_known:
        VirtualMachine.objects.filter(pk=machine.pk).update(mac_addresses=[building_a.pve.guest(101).mac])
    building_a.pve.guest(101).node = "pve2"
    done = run(building_a, machine, "start", ana)
    assert (done.state, building_a.machine(101).node) == ("done", "pve2")
    assert building_a.pve.count("POST", "/nodes/pve2/.*/status/start$") == 1
    assert building_a.commands(POWER) == (1 if is_known else 2)


def test_a_machine_that_is_deleted_is_not_looked_for_twice(building_a: Lab, ana: User):
    machine = building_a.assign(101, ana)
    building_a.pve.remove_guest(101)
    done = run(building_a, machine, "start", ana)
    assert done.state == "failed"
    assert building_a.commands(POWER) == 1


def test_another_machine_at_the_new_place_is_left_alone(building_a: Lab, ana: User):
    machine = building_a.assign(101, ana)
    VirtualMachine.objects.filter(pk=machine.pk).update(mac_addresses=["BC:24:11:FF:FF:FF"])
    building_a.pve.guest(101).node = "pve2"
    done = run(building_a, machine, "start", ana)
    assert (done.state, building_a.commands(POWER)) == ("failed", 0)
