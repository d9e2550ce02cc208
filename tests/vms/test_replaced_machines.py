"""Another machine gets the VMID between page and click: the assignee of the old one neither sees nor operates it."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab, run_operations
from tests.vms.console_client import browser_of
from vms import inventory, operations
from vms.console import close_codes, permissions
from vms.models import Assignment, ConsoleGrant, Operation, Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

ANOTHER = "This VMID now belongs to another machine. Ask your teacher."
STRANGER = "exam-server"
CONFIG = "/config$"

# Each action, and the state that it needs.
ACTIONS = {
    "start": "stopped", "shutdown": "running", "stop": "running", "reboot": "running", "reset": "running",
    "suspend": "running", "resume": "paused", "snapshot": "running", "rollback": "stopped",
    "delete-snapshot": "running",
}  # fmt: skip


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    """ana's running machine, which the portal knows well: its hardware ID, its address and a snapshot."""
    building_a.pve.guest(102).agent = "alive"
    building_a.pve.guest(102).addresses = ("192.0.2.7",)
    machine = building_a.assign(102, ana)
    inventory.read_details(building_a.config)
    Snapshot.objects.create(vm=machine, name="my-save-point")
    machine.refresh_from_db()
    assert (machine.addresses, bool(machine.hardware_id)) == (["192.0.2.7"], True)
    building_a.pve.clear_requests()
    return machine


def reuse(lab: Lab, **facts: Any) -> None:
    about = {"name": STRANGER, "status": "running", "agent": "alive", "addresses": ("198.51.100.66",)}
    lab.pve.faults.vmid_reused(102, **about | facts)


def row_of(machine: VirtualMachine) -> VirtualMachine:
    return VirtualMachine.objects.get(pk=machine.pk)


def new_row() -> VirtualMachine:
    return VirtualMachine.objects.present().get(vmid=102)


def page(user: User, name: str, *args: Any) -> str:
    return browser_of(user).get(reverse(name, args=args), {"cluster": ""}).content.decode()


# Touched


def enter(machine: VirtualMachine, user: User) -> permissions.Viewer:
    """As the websocket does."""
    key = str(browser_of(user).session.session_key)
    return permissions.open_console(ConsoleGrant.issue(machine, user=user, session_key=key, mode="control"), key)


def test_its_console_is_not_opened(building_a: Lab, hers: VirtualMachine, ana: User):
    reuse(building_a)
    with pytest.raises(close_codes.Ended) as ended:
        enter(hers, ana)
    assert (ended.value.code, ended.value.reason) == (close_codes.REPLACED, "this VMID now belongs to another machine")
    assert building_a.pve.count("POST") == 0
    assert row_of(hers).gone_at


def test_the_console_of_the_same_machine_is_opened_with_one_look(building_a: Lab, hers: VirtualMachine, ana: User):
    assert enter(hers, ana).endpoint
    assert (building_a.pve.count("GET", CONFIG), building_a.pve.count("POST", "vncproxy$")) == (1, 1)


def test_no_file_for_its_display_is_given_out(building_a: Lab, hers: VirtualMachine, ana: User, settings: Any):
    settings.SPICE_FILES = True
    reuse(building_a)
    building_a.pve.guest(102).options["vga"] = "qxl"
    answer = browser_of(ana).post(reverse("vms-spice", args=[hers.pk]))
    assert (answer.status_code, ANOTHER in answer.content.decode()) == (409, True)
    assert building_a.pve.count("POST") == Operation.objects.count() == 0


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("same", [False, True], ids=["another", "the same"])
def test_no_action_reaches_it(building_a: Lab, hers: VirtualMachine, ana: User, action: str, same: bool):
    building_a.pve.guest(102).status = ACTIONS[action]
    building_a.sync()
    if not same:
        reuse(building_a, status=ACTIONS[action])
    snapshot = {"snapshot": "my-save-point"} if "snap" in action or action == "rollback" else {}
    operation = operations.request(row_of(hers), action, by=ana, **snapshot)[0]
    run_operations()
    operation.refresh_from_db()
    assert (operation.outcome == ANOTHER) == (not same)
    assert (building_a.pve.count("POST") + building_a.pve.count("DELETE") > 0) == same
    assert bool(row_of(hers).gone_at) == (not same)


def test_a_remote_desktop_does_not_lead_to_it(building_a: Lab, hers: VirtualMachine, ana: User):
    reuse(building_a)
    answer = browser_of(ana).get(reverse("vms-rdp", args=[hers.pk]))
    assert (answer.status_code, ANOTHER in answer.content.decode()) == (409, True)


def test_a_remote_desktop_needs_no_cluster_that_answers(building_a: Lab, hers: VirtualMachine, ana: User):
    building_a.pve.stop()
    answer = browser_of(ana).get(reverse("vms-rdp", args=[hers.pk]))
    assert answer.content.startswith(b"full address:s:192.0.2.7")


# Shown


def test_its_name_and_state_are_not_written_onto_the_row(building_a: Lab, hers: VirtualMachine, ana: User):
    reuse(building_a, status="stopped")
    building_a.sync()
    found = row_of(hers)
    assert (found.name, found.status, found.gone_at) == ("net-02", "running", None)
    shown = page(ana, "vms-list") + page(ana, "vms-machine", hers.pk)
    assert ("net-02" in shown, STRANGER in shown) == (True, False)
    assert building_a.pve.count() == 1, "the reading is one call"


def test_its_address_is_never_shown_and_the_old_one_not_while_in_doubt(
    building_a: Lab, hers: VirtualMachine, ana: User
):
    assert "192.0.2.7" in page(ana, "vms-machine", hers.pk)
    reuse(building_a)
    for step in (building_a.sync, lambda: inventory.read_details(building_a.config), building_a.sync):
        step()
        shown = page(ana, "vms-list") + page(ana, "vms-machine", hers.pk)
        assert "198.51.100.66" not in shown
        assert "192.0.2.7" not in shown
        assert STRANGER not in shown


def test_the_machine_keeps_its_name_and_history_and_the_new_one_begins_with_none(
    building_a: Lab, hers: VirtualMachine, ana: User, admin: User
):
    reuse(building_a)
    building_a.sync()
    operations.request(row_of(hers), "reboot", by=ana)
    run_operations()
    building_a.sync()
    old, new = row_of(hers), new_row()
    assert (old.name, new.name, new.pk != old.pk) == ("net-02", STRANGER, True)
    assert list(Operation.objects.values_list("vm", "vm_name")) == [(old.pk, "net-02")]
    assert not Assignment.objects.filter(vm=new).exists()
    assert not new.snapshots.exists()
    assert "net-02" not in page(admin, "vms-machine", new.pk)


def test_doubts_are_looked_at_before_everything_else_that_is_due(building_a: Lab, hers: VirtualMachine):
    VirtualMachine.objects.exclude(pk=hers.pk).update(details_due_at=None)
    reuse(building_a)
    building_a.sync()
    building_a.pve.clear_requests()
    inventory.read_details(building_a.config)
    assert CONFIG.removesuffix("$") in building_a.pve.requests[0].path
    assert "/102/" in building_a.pve.requests[0].path
    assert (row_of(hers).name, new_row().name) == ("net-02", STRANGER)


@pytest.mark.parametrize("name", ["net-02-renamed", "net-01"])
def test_a_machine_that_is_renamed_has_its_new_name_after_one_look(building_a: Lab, hers: VirtualMachine, name: str):
    building_a.pve.guest(102).name = name
    building_a.pve.guest(102).status = "stopped"
    building_a.sync()
    assert (row_of(hers).name, row_of(hers).status) == ("net-02", "running")
    inventory.read_details(building_a.config)
    building_a.sync()
    found = row_of(hers)
    assert (found.name, found.status, found.gone_at) == (name, "stopped", None)
    assert (found.listed_name, found.doubted_since) == ("", None)
    assert building_a.sync().changed == 0


def test_one_that_nobody_has_looked_at_yet_has_the_name_of_the_list(building_a: Lab):
    building_a.pve.guest(102).name = "renamed"
    building_a.sync()
    assert building_a.machine(102).name == "renamed"


def test_a_stranger_on_another_node_is_found_there(building_a: Lab, hers: VirtualMachine):
    building_a.pve.remove_guest(102)
    building_a.pve.add_guest(102, STRANGER, "pve1")
    building_a.sync()
    inventory.read_details(building_a.config)
    assert (bool(row_of(hers).gone_at), new_row().name, new_row().node) == (True, STRANGER, "pve1")


# While the cluster's list is late


def test_a_list_that_still_tells_of_the_dead_does_not_hide_the_stranger(
    building_a: Lab, hers: VirtualMachine, ana: User
):
    building_a.pve.faults.list_lags(102)
    reuse(building_a, status="stopped")
    building_a.sync()
    assert building_a.machine(102).status == "running"
    operations.request(row_of(hers), "reboot", by=ana)
    run_operations()
    assert Operation.objects.get().outcome == ANOTHER
    building_a.sync()
    assert (row_of(hers).name, new_row().name, new_row().status) == ("net-02", STRANGER, "unknown")


def test_the_new_machine_is_not_called_like_the_dead_one(building_a: Lab, hers: VirtualMachine):
    building_a.pve.faults.list_lags(102)
    reuse(building_a, status="stopped")
    VirtualMachine.objects.filter(pk=hers.pk).update(details_due_at=None)
    for _ in range(2):
        inventory.read_details(building_a.config)
        building_a.sync()
    assert (new_row().name, new_row().status) == (STRANGER, "unknown")
    building_a.clock.advance(11)
    building_a.sync()
    found = new_row()
    assert (found.name, found.status, found.listed_name, found.doubted_since) == (STRANGER, "stopped", "", None)


def test_the_numbers_above_and_in_the_list_are_the_same(
    building_a: Lab, building_b: Lab, hers: VirtualMachine, ana: User
):
    for lab, vmid in ((building_a, 101), (building_b, 101)):
        lab.assign(vmid, ana)
    reuse(building_a)
    building_a.sync()
    inventory.read_details(building_a.config)
    shown = browser_of(ana).get(reverse("vms-list"), {"cluster": "building-a"})
    assert shown.context["page"].paginator.count == 2
    assert "Building A (2)" in shown.content.decode()
    assert "All my clusters (3)" in shown.content.decode()
