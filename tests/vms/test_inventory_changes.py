"""What changes about a machine while it is there, and what a read writes of it."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from pvesim.guests import Guest
from tests.labs import Lab, ago
from tests.vms.resource_lists import NODES, answer, node, row
from vms.models import Node, Pool, VirtualMachine

pytestmark = pytest.mark.django_db

CURRENT = {"addresses": ["10.0.0.9"], "details_due_at": None}


def after(lab: Lab, vmid: int) -> VirtualMachine:
    """The machine after one more read."""
    lab.sync()
    return lab.machine(vmid)


def settled(lab: Lab, vmid: int) -> VirtualMachine:
    """A machine whose details are known and not due for hours."""
    VirtualMachine.objects.filter(vmid=vmid).update(details_due_at=timezone.now() + timedelta(hours=5))
    return lab.machine(vmid)


def is_due(machine: VirtualMachine) -> bool:
    return machine.details_due_at is None or machine.details_due_at <= timezone.now()


def test_a_guest_that_was_renamed_is_the_same_machine_with_the_new_name(building_a: Lab):
    before = building_a.machine(101).pk
    building_a.pve.guest(101).name = "renamed"
    found = after(building_a, 101)
    assert (found.pk, found.name) == (before, "renamed")


def test_a_paused_guest_is_paused(building_a: Lab):
    building_a.pve.guest(102).status = "paused"
    found = after(building_a, 102)
    assert (found.status, bool(found.booted_at)) == ("paused", True)


def test_a_lock_comes_and_goes(building_a: Lab):
    building_a.pve.guest(101).lock = "backup"
    assert after(building_a, 101).lock == "backup"
    building_a.pve.guest(101).lock = None
    assert after(building_a, 101).lock == ""


def test_a_guest_that_the_cluster_keeps_up_has_a_state_of_its_own(building_a: Lab):
    building_a.pve.add_guest(105, ha=True, status="running")
    assert after(building_a, 105).ha_state == "started"


def test_the_pool_of_a_guest_is_known(building_a: Lab):
    building_a.pve.add_pool("labs", vmids=[101])
    assert after(building_a, 101).pool == "labs"
    assert list(Pool.objects.values_list("name", "missing_since")) == [("labs", None)]


def test_a_status_that_changes_is_written_with_the_other_facts_of_many(building_a: Lab):
    for vmid in (101, 103, 104):
        building_a.pve.guest(vmid).status = "running"
    assert building_a.sync().changed == 3
    assert {building_a.machine(vmid).status for vmid in (101, 103, 104)} == {"running"}


# Nodes


def lose(lab: Lab, *, seconds: float = 0) -> None:
    lab.pve.disconnect_node("pve2")
    lab.clock.advance(seconds)
    lab.sync()


@pytest.mark.parametrize("seconds", [0, 301])
def test_a_machine_of_a_dead_node_keeps_name_status_and_sizes(building_a: Lab, seconds: float):
    before = building_a.machine(102)
    lose(building_a, seconds=seconds)
    found = building_a.machine(102)
    assert (found.name, found.status, found.memory) == ("net-02", "running", before.memory)
    assert found.booted_at == before.booted_at


def test_since_when_its_node_is_silent_is_known(building_a: Lab):
    began = timezone.now()
    lose(building_a)
    since = building_a.machine(102).silent_since
    building_a.sync()
    assert building_a.machine(102).silent_since == since >= began
    assert building_a.machine(101).silent_since is None


def test_a_node_that_comes_back_speaks_for_its_machines(building_a: Lab):
    lose(building_a)
    building_a.pve.reconnect_node("pve2")
    building_a.pve.guest(102).status = "stopped"
    found = after(building_a, 102)
    assert (found.silent_since, found.status) == (None, "stopped")


def test_a_guest_that_nobody_can_name_is_silent_whatever_its_node_says(building_a: Lab):
    answer(building_a, row(101), {"type": "qemu", "vmid": 102, "node": "pve2", "status": "unknown"}, *NODES)
    found = after(building_a, 102)
    assert (found.name, found.status, bool(found.silent_since)) == ("net-02", "running", True)


def test_the_page_says_how_old_the_state_of_a_silent_machine_is(building_a: Lab, client: Client, ana: User):
    building_a.assign(102, ana)
    lose(building_a)
    VirtualMachine.objects.filter(vmid=102).update(silent_since=ago(minutes=12))
    client.force_login(ana)
    text = client.get("/vms/?cluster=").content.decode()
    assert "12\xa0minutes ago: its node is not responding" in text
    assert "Running" in text
    assert "<form" not in text.partition('class="actions"')[2].partition("</li>")[0]


def test_a_node_is_online_since_then_or_not(building_a: Lab):
    lose(building_a)
    since = Node.objects.get(name="pve2").since
    building_a.sync()
    assert dict(Node.objects.values_list("name", "online")) == {"pve1": True, "pve2": False}
    assert Node.objects.get(name="pve2").since == since > Node.objects.get(name="pve1").since


def test_a_node_that_a_complete_answer_lacks_is_missing_and_may_come_back(building_a: Lab):
    guests = [row(101), row(102), row(103, type="lxc"), row(104)]
    answer(building_a, *guests, node("pve1"))
    building_a.sync()
    assert Node.objects.present().values_list("name", flat=True).get() == "pve1"
    answer(building_a, *guests, *NODES)
    building_a.sync()
    assert Node.objects.present().count() == 2


def test_a_pool_that_a_complete_answer_lacks_is_missing_and_may_come_back(building_a: Lab):
    guests = [row(101), row(102), row(103, type="lxc"), row(104), *NODES]
    answers = [[{"type": "pool", "pool": "labs"}], [], [{"type": "pool", "pool": "labs"}]]
    seen = []
    for pools in answers:
        answer(building_a, *guests, *pools)
        building_a.sync()
        seen.append(Pool.objects.filter(missing_since=None).count())
    assert seen == [1, 0, 1]


# When it was started


def running(lab: Lab, uptime: int, status: str = "running") -> datetime | None:
    rows = (row(101), row(102, node="pve2", status=status, uptime=uptime), row(103, type="lxc"), row(104))
    answer(lab, *rows, *NODES)
    return after(lab, 102).booted_at


def test_a_running_machine_was_started_its_uptime_ago(building_a: Lab):
    booted = running(building_a, 7200)
    assert booted is not None
    assert abs(timezone.now() - timedelta(hours=2) - booted) < timedelta(seconds=10)


def test_an_uptime_that_wavers_is_no_change(building_a: Lab):
    assert running(building_a, 7200) == running(building_a, 7280) == running(building_a, 7120)


def test_another_start_is_a_change(building_a: Lab):
    assert running(building_a, 7200) != running(building_a, 30)


def test_a_stopped_machine_was_never_started(building_a: Lab):
    assert running(building_a, 0, "stopped") is None


def test_an_absurd_uptime_is_survived(building_a: Lab):
    assert running(building_a, 2**62)


def test_a_machine_that_is_off_has_no_address(building_a: Lab):
    VirtualMachine.objects.filter(vmid=102).update(addresses=["10.0.0.9"])
    building_a.pve.guest(102).status = "stopped"
    assert after(building_a, 102).addresses == []


# When details are due


@pytest.mark.parametrize("change", [{"name": "renamed"}, {"maxcpu": 4}, {"maxmem": 2 << 30}, {"template": True}])
def test_a_change_of_its_nature_makes_details_due(building_a: Lab, change: dict[str, object]):
    settled(building_a, 101)
    for name, value in change.items():
        setattr(building_a.pve.guest(101), name, value)
    assert is_due(after(building_a, 101))


def test_a_start_makes_details_due(building_a: Lab):
    settled(building_a, 101)
    building_a.pve.guest(101).status = "running"
    assert is_due(after(building_a, 101))


def test_a_machine_that_was_missing_has_its_details_due(building_a: Lab):
    settled(building_a, 104)
    guest: Guest = building_a.pve.guest(104)
    building_a.pve.remove_guest(104)
    building_a.sync()
    building_a.pve.register(guest)
    assert is_due(after(building_a, 104))


def test_a_lock_that_begins_makes_no_details_due(building_a: Lab):
    settled(building_a, 101)
    building_a.pve.guest(101).lock = "backup"
    assert not is_due(after(building_a, 101))
