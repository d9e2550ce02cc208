"""What is asked for one machine at a time: addresses, MACs, snapshots, and whether it is still the same one."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from clusters import gateway, proxmox
from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab, ago, queries, writes
from tests.vms.resource_lists import gone
from vms import inventory
from vms.models import Snapshot, VirtualMachine

pytestmark = pytest.mark.django_db

AGENT = "/agent/network-get-interfaces$"
UUID = "11111111-2222-4333-8444-555555555555"


def look(lab: Lab, *vmids: int) -> int:
    """Look closer at these alone."""
    later = timezone.now() + timedelta(hours=3)
    VirtualMachine.objects.exclude(vmid__in=vmids).update(details_due_at=later)
    VirtualMachine.objects.filter(vmid__in=vmids).update(details_due_at=ago(seconds=1))
    return inventory.read_details(lab.config)


def due_in(lab: Lab, vmid: int) -> float:
    """Seconds until its details are asked for again, rounded to tens."""
    due = lab.machine(vmid).details_due_at
    return round((due - timezone.now()).total_seconds(), -1)


def with_agent(lab: Lab, vmid: int, *addresses: str) -> None:
    guest = lab.pve.guest(vmid)
    guest.agent, guest.addresses = "alive", addresses


def test_a_running_machine_with_an_agent_tells_its_addresses(building_a: Lab):
    with_agent(building_a, 102, "10.0.0.9", "2001:db8::9")
    look(building_a, 102)
    assert building_a.machine(102).addresses == ["10.0.0.9", "2001:db8::9"]


def test_addresses_at_which_nobody_else_reaches_it_are_left_out(building_a: Lab):
    with_agent(building_a, 102, "127.0.0.2", "169.254.7.7", "fe80::1", "224.0.0.1", "10.0.0.9")
    look(building_a, 102)
    assert building_a.machine(102).addresses == ["10.0.0.9"]


def test_a_machine_that_is_switched_off_while_it_is_asked_has_no_address(
    building_a: Lab, monkeypatch: pytest.MonkeyPatch
):
    with_agent(building_a, 102, "10.0.0.9")
    read = proxmox.Reader.interfaces

    def switched_off(*args: Any) -> tuple[proxmox.Interface, ...]:
        building_a.machine(102).observe("stopped", at=timezone.now())
        return read(*args)

    monkeypatch.setattr(proxmox.Reader, "interfaces", switched_off)
    look(building_a, 102)
    assert building_a.machine(102).addresses == []


def test_at_most_sixteen_addresses_are_kept(building_a: Lab):
    with_agent(building_a, 102, *(f"10.0.0.{number}" for number in range(1, 40)))
    look(building_a, 102)
    assert len(building_a.machine(102).addresses) == 16


def test_a_running_container_tells_its_addresses(building_a: Lab):
    building_a.pve.guest(103).status = "running"
    building_a.sync()
    building_a.pve.clear_requests()
    look(building_a, 103)
    assert building_a.machine(103).addresses == [building_a.pve.guest(103).addresses[0]]
    assert building_a.pve.count("GET", "/lxc/103/interfaces$") == 1


@pytest.mark.parametrize("vmid", [101, 103])
def test_who_is_off_is_not_asked_for_addresses(building_a: Lab, vmid: int):
    look(building_a, vmid)
    assert building_a.pve.count(path_regex="interfaces$") == 0
    assert (building_a.machine(vmid).addresses, due_in(building_a, vmid)) == ([], 6 * 3600)


def test_a_machine_without_an_agent_is_not_asked_for_addresses(building_a: Lab):
    look(building_a, 102)
    assert building_a.pve.count(path_regex=AGENT) == 0
    assert due_in(building_a, 102) == 6 * 3600


@pytest.mark.parametrize("vmid", [102, 103])
def test_the_network_cards_are_known(building_a: Lab, vmid: int):
    look(building_a, vmid)
    assert building_a.machine(vmid).mac_addresses == [building_a.pve.guest(vmid).mac]


def test_the_hardware_id_is_known(building_a: Lab):
    building_a.pve.guest(101).options["smbios1"] = f"uuid={UUID.upper()},base64=1"
    look(building_a, 101)
    assert building_a.machine(101).hardware_id == UUID


def test_an_account_that_may_not_ask_the_agent_knows_no_address(building_a: Lab):
    with_agent(building_a, 102, "10.0.0.9")
    building_a.pve.revoke("/", "portal@pve")
    building_a.pve.add_role("JustLooking", ["VM.Audit"])
    building_a.pve.grant("/", "portal@pve", "JustLooking")
    look(building_a, 102)
    found = building_a.machine(102)
    assert (found.addresses, bool(found.mac_addresses), due_in(building_a, 102)) == ([], True, 6 * 3600)


@pytest.fixture
def read_only(building_a: Lab) -> Cluster:
    token = building_a.pve.add_token("portal@pve", "inventory", privsep=False)
    row = Cluster.objects.get()
    row.read_token_id, row.read_token_secret = token.full_id, token.secret
    row.save()
    return row


def test_it_looks_by_the_read_only_token(building_a: Lab, read_only: Cluster):
    look(building_a, 101)
    assert {request.identity for request in building_a.pve.requests} == {"portal@pve!inventory"}


def test_an_agent_is_asked_with_the_main_credential(building_a: Lab, read_only: Cluster):
    with_agent(building_a, 102, "10.0.0.9")
    look(building_a, 102)
    asked = {request.path.rsplit("/", 1)[1]: request.identity for request in building_a.pve.requests}
    assert asked["config"] == asked["snapshot"] == "portal@pve!inventory"
    assert asked["network-get-interfaces"] == "portal@pve!labs"


def test_a_main_credential_that_is_not_taken_costs_the_addresses_alone(building_a: Lab, read_only: Cluster):
    with_agent(building_a, 102, "10.0.0.9")
    building_a.pve.remove_token("portal@pve!labs")
    look(building_a, 102)
    assert (building_a.machine(102).addresses, bool(building_a.machine(102).mac_addresses)) == ([], True)


# Snapshots


def save(lab: Lab, vmid: int, name: str) -> None:
    with gateway.connect(lab.config) as pve:
        pve.create_snapshot("pve1", "qemu", vmid, name, description="before the lesson")
    lab.clock.advance(30)


def test_snapshots_are_known(building_a: Lab):
    save(building_a, 101, "clean")
    save(building_a, 101, "homework")
    look(building_a, 101)
    found = Snapshot.objects.filter(vm=building_a.machine(101)).values_list("name", "parent", "description")
    assert list(found) == [("clean", "", "before the lesson"), ("homework", "clean", "before the lesson")]


def test_a_snapshot_that_was_deleted_is_forgotten(building_a: Lab):
    save(building_a, 101, "clean")
    look(building_a, 101)
    building_a.pve.guest(101).snapshots.clear()
    look(building_a, 101)
    assert not Snapshot.objects.exists()


def test_snapshots_that_stay_are_not_written_again(building_a: Lab):
    save(building_a, 101, "clean")
    look(building_a, 101)
    with queries() as seen:
        look(building_a, 101)
    assert not [sql for sql in writes(seen) if "vms_snapshot" in sql]


# Another machine under the same number


def reuse(lab: Lab, vmid: int, user: User) -> VirtualMachine:
    """A machine that somebody holds, whose number another one got between two reads."""
    machine = lab.assign(vmid, user)
    look(lab, vmid)
    lab.pve.guest(vmid).options["smbios1"] = f"uuid={UUID}"
    look(lab, vmid)
    return machine


def test_another_hardware_id_is_another_machine(building_a: Lab, ana: User):
    old = reuse(building_a, 101, ana)
    new = VirtualMachine.objects.present().get(vmid=101)
    assert (new.hardware_id, new.assignments.count(), gone(building_a)) == (UUID, 0, [101])
    assert list(VirtualMachine.objects.visible_to(ana)) == [old]


def test_the_next_read_goes_on_with_the_new_machine(building_a: Lab, ana: User):
    reuse(building_a, 101, ana)
    outcomes = building_a.sync(), building_a.sync()
    assert [(one.created, one.changed, one.gone) for one in outcomes] == [(0, 1, 0), (0, 0, 0)]


def test_a_hardware_id_that_is_not_told_any_more_is_no_other_machine(building_a: Lab):
    look(building_a, 101)
    building_a.pve.guest(101).options["smbios1"] = "family=lab"
    look(building_a, 101)
    assert gone(building_a) == []
    building_a.pve.guest(101).options["net0"] = "virtio=BC:24:11:00:00:99,bridge=vmbr0"
    look(building_a, 101)
    assert gone(building_a) == [101]


# How many, and when again


def test_a_few_are_asked_at_a_time_the_longest_waiting_first(building_a: Lab):
    for vmid in range(200, 206):
        building_a.pve.add_guest(vmid)
    building_a.sync()
    VirtualMachine.objects.filter(vmid__lt=200).update(details_due_at=ago(minutes=1))
    assert inventory.read_details(building_a.config) == 5
    assert VirtualMachine.objects.filter(vmid__gte=200, details_at=None).count() == 1
    assert inventory.read_details(building_a.config) == 5
    assert inventory.read_details(building_a.config) == 0


def test_what_nothing_happens_to_is_asked_seldom(building_a: Lab):
    look(building_a, 101)
    assert due_in(building_a, 101) == 6 * 3600


@pytest.mark.parametrize(("failures", "seconds"), [(0, 30), (1, 60), (2, 120), (3, 300), (4, 1800), (50, 1800)])
def test_a_running_machine_without_an_address_is_asked_again_ever_more_seldom(
    building_a: Lab, failures: int, seconds: int
):
    building_a.pve.guest(102).agent = "dead"
    VirtualMachine.objects.filter(vmid=102).update(details_failures=failures)
    look(building_a, 102)
    found = building_a.machine(102)
    assert (due_in(building_a, 102), found.details_failures, bool(found.mac_addresses)) == (seconds, failures + 1, True)


def test_an_agent_that_is_silent_for_once_takes_no_address_away(building_a: Lab):
    with_agent(building_a, 102, "10.0.0.9")
    look(building_a, 102)
    building_a.pve.guest(102).agent = "dead"
    look(building_a, 102)
    assert building_a.machine(102).addresses == ["10.0.0.9"]


def test_an_agent_that_answers_ends_the_waiting(building_a: Lab):
    VirtualMachine.objects.filter(vmid=102).update(details_failures=4)
    with_agent(building_a, 102, "10.0.0.9")
    look(building_a, 102)
    assert (building_a.machine(102).details_failures, due_in(building_a, 102)) == (0, 6 * 3600)


FAILURES: dict[str, dict[str, Any]] = {
    "a refusal": {"status": 500, "reason": "oops"},
    "a node that is down": {"status": 595, "reason": "No route to host"},
    "a machine that has moved": {"status": 500, "reason": "Configuration file 'nodes/pve1/x/101.conf' does not exist"},
    "a missing right": {"status": 403, "reason": "Permission check failed (/vms/101, VM.Audit)"},
    "nonsense": {"status": 200, "body": '{"data":[1]}'},
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
def test_the_failure_of_one_machine_makes_only_that_one_wait(building_a: Lab, reply: dict[str, Any]):
    building_a.pve.faults.reply("/101/config$", **reply)
    assert look(building_a, 101, 102) == 2
    assert (building_a.machine(101).details_at, due_in(building_a, 101)) == (None, 30)
    assert building_a.machine(102).details_at


def test_a_cluster_that_does_not_answer_is_asked_once(building_a: Lab):
    building_a.pve.stop()
    assert look(building_a, 101, 102) == 0
    assert VirtualMachine.objects.filter(vmid__in=[101, 102], details_due_at__lte=timezone.now()).count() == 1


def test_a_machine_that_is_made_due_meanwhile_stays_due(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    read, due = proxmox.Reader.snapshots, ago(seconds=5)

    def restarted(*args: Any) -> proxmox.Snapshots:
        VirtualMachine.objects.filter(vmid=101).update(details_due_at=due)
        return read(*args)

    monkeypatch.setattr(proxmox.Reader, "snapshots", restarted)
    look(building_a, 101)
    assert building_a.machine(101).details_due_at == due


def test_a_machine_that_another_worker_reads_is_left_to_that_worker(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    read = proxmox.Reader.guest_config

    def meanwhile(*args: Any) -> proxmox.GuestConfig:
        with monkeypatch.context() as patch:
            patch.setattr(proxmox.Reader, "guest_config", read)
            assert inventory.read_details(building_a.config) == 0
        return read(*args)

    monkeypatch.setattr(proxmox.Reader, "guest_config", meanwhile)
    assert look(building_a, 101) == 1


@pytest.mark.parametrize("state", ["missing_since", "silent_since", "gone_at"])
def test_who_is_not_there_is_not_asked(building_a: Lab, state: str):
    VirtualMachine.objects.update(**{state: timezone.now()})
    assert inventory.read_details(building_a.config) == 0
    assert building_a.pve.count() == 0


def test_clusters_that_answer_and_have_something_due_are_named(building_a: Lab, building_b: Lab):
    assert inventory.clusters_with_details_due() == {"building-a", "building-b"}
    VirtualMachine.objects.filter(cluster=building_a.row).update(details_due_at=timezone.now() + timedelta(hours=1))
    assert inventory.clusters_with_details_due() == {"building-b"}
    ClusterHealth.failed("building-b", "down")
    assert inventory.clusters_with_details_due() == set()
