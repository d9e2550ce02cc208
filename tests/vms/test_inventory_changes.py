"""What changes about a machine while it is there, and what a read writes of it."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterHealth
from pvesim.guests import Guest
from tests.labs import Lab, ago, queries, writes
from tests.vms.answers import NODES, answer, node, row
from vms import inventory
from vms.models import ClusterSync, Node, Pool, SyncRun, VirtualMachine

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
    lab.pve.lose_node("pve2")
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
    building_a.pve.find_node("pve2")
    building_a.pve.guest(102).status = "stopped"
    found = after(building_a, 102)
    assert (found.silent_since, found.status) == (None, "stopped")


def test_a_guest_that_nobody_can_name_is_silent_whatever_its_node_says(building_a: Lab):
    answer(building_a, row(101), {"type": "qemu", "vmid": 102, "node": "pve2", "status": "unknown"}, *NODES)
    found = after(building_a, 102)
    assert (found.name, found.status, bool(found.silent_since)) == ("net-02", "running", True)


def test_the_page_says_how_old_the_state_of_a_silent_machine_is(building_a: Lab, client: Client, ana: User):
    building_a.give(102, ana)
    lose(building_a)
    VirtualMachine.objects.filter(vmid=102).update(silent_since=ago(minutes=12))
    client.force_login(ana)
    text = client.get("/vms/?cluster=").content.decode()
    assert "12\xa0minutes ago: its node does not answer" in text
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
    building_a.pve.enlist(guest)
    assert is_due(after(building_a, 104))


def test_a_move_or_a_lock_makes_no_details_due(building_a: Lab):
    settled(building_a, 101)
    building_a.pve.guest(101).node, building_a.pve.guest(101).lock = "pve2", "migrate"
    assert not is_due(after(building_a, 101))


# What is written


def quiet_writes(lab: Lab) -> list[str]:
    lab.sync()
    with queries() as seen:
        lab.sync()
    return writes(seen)


def test_a_read_that_brings_nothing_new_writes_the_counter_and_the_time(building_a: Lab):
    assert [sql.split('"')[1] for sql in quiet_writes(building_a)] == ["vms_clustersync", "vms_syncrun"]


def test_load_memory_in_use_and_traffic_are_no_change(building_a: Lab):
    rows = [row(101, cpu=0.5, mem=1, netin=7), row(102), row(103, type="lxc"), row(104), *NODES]
    answer(building_a, *rows)
    building_a.sync()
    answer(building_a, {**rows[0], "cpu": 0.9, "mem": 2, "netin": 8, "uptime": 0}, *rows[1:])
    assert building_a.sync().changed == 0


def test_the_number_of_queries_does_not_depend_on_the_number_of_machines(building_a: Lab):
    building_a.sync()
    with queries() as few:
        building_a.sync()
    for vmid in range(200, 260):
        building_a.pve.add_guest(vmid)
    building_a.sync()
    with queries() as many:
        building_a.sync()
    assert len(few) == len(many) <= 15


def test_reads_that_bring_nothing_new_are_one_row(building_a: Lab):
    for _ in range(4):
        building_a.sync()
    last = SyncRun.objects.first()
    assert (last.runs, last.seen, last.outcome, last.last_at > last.first_at) == (4, 4, "ok", True)


def test_a_read_that_brings_something_is_a_row_of_its_own(building_a: Lab):
    building_a.sync()
    building_a.pve.add_guest(110)
    building_a.pve.remove_guest(104)
    building_a.sync()
    last = SyncRun.objects.first()
    assert (last.runs, last.created, last.missing, last.changed, last.gone) == (1, 1, 1, 0, 0)


def test_a_failed_read_is_a_row_with_its_problem(building_a: Lab):
    building_a.pve.stop()
    building_a.sync()
    building_a.sync()
    last = SyncRun.objects.first()
    assert (last.outcome, last.runs, "refuses connections" in last.problem) == ("failed", 2, True)


def test_old_rows_of_reads_are_forgotten(building_a: Lab):
    building_a.sync()
    old = SyncRun.objects.last()
    SyncRun.objects.filter(pk=old.pk).update(last_at=timezone.now() - SyncRun.KEPT - timedelta(minutes=1))
    inventory.prune()
    assert SyncRun.objects.exists()
    assert not SyncRun.objects.filter(pk=old.pk).exists()


def test_nodes_and_pools_that_are_missing_for_a_month_are_forgotten(building_a: Lab):
    Node.objects.filter(name="pve2").update(missing_since=ago(days=31))
    Pool.objects.create(cluster=building_a.row, name="old", missing_since=ago(days=31))
    inventory.prune()
    assert (Node.objects.count(), Pool.objects.count()) == (1, 0)


# Health and deadlines


def test_health_that_stays_as_it_is_is_written_once_a_minute(building_a: Lab):
    ClusterHealth.objects.update(checked_at=(lately := ago(seconds=40)))
    building_a.sync()
    assert ClusterHealth.objects.get().checked_at == lately
    ClusterHealth.objects.update(checked_at=(before := ago(seconds=80)))
    building_a.sync()
    assert ClusterHealth.objects.get().checked_at > before


def test_another_failure_is_written_at_once(building_a: Lab):
    ClusterHealth.failed("building-a", "before")
    building_a.pve.stop()
    building_a.sync()
    health = ClusterHealth.objects.get()
    assert ("refuses connections" in health.problem, health.kind) == (True, "ConnectionRefused")


def test_a_cluster_has_a_deadline_of_its_own(building_a: Lab):
    ClusterSync.objects.update(deadline=2)
    building_a.pve.faults.hang("^/cluster/resources$")
    began = timezone.now()
    assert "in time" in building_a.sync().problem
    assert timezone.now() - began < timedelta(seconds=5)


@pytest.mark.parametrize(("failures", "pause"), [(0, 15), (1, 15), (2, 15), (3, 30), (4, 60), (5, 120), (50, 300)])
def test_a_cluster_that_fails_three_times_is_asked_ever_more_seldom(failures: int, pause: int):
    assert ClusterSync(failures=failures).pause == timedelta(seconds=pause)
