"""What a cluster's answer makes of the inventory, and what it must not."""

from typing import Any

import pytest
from django.utils import timezone

from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab, ago, queries, writes
from tests.vms.resource_lists import LIST, answer, missing, row, vmids
from vms import inventory
from vms.inventory import machine_table
from vms.models import ClusterSync, VirtualMachine

pytestmark = pytest.mark.django_db

# What is taken over


def test_a_sync_is_one_request(building_a: Lab):
    building_a.sync()
    assert [(r.method, r.path) for r in building_a.pve.requests] == [("GET", "/cluster/resources")]


def test_a_sync_asks_no_other_cluster(building_a: Lab, building_b: Lab):
    building_a.sync()
    assert building_b.pve.count() == 0


def test_a_machine_has_the_facts_of_its_guest(building_a: Lab):
    found = building_a.machine(102)
    assert (found.name, found.node, found.kind, found.status) == ("net-02", "pve2", "qemu", "running")
    assert (found.tags, found.cpus, found.memory, found.template) == ("lab;net", 1, 1 << 30, False)


def test_the_same_number_on_two_clusters_is_two_machines(building_a: Lab, building_b: Lab):
    assert building_a.machine(101).pk != building_b.machine(101).pk
    assert (building_a.machine(101).name, building_b.machine(101).name) == ("net-01", "db-01")


def test_a_sync_touches_no_machine_of_another_cluster(building_a: Lab, building_b: Lab):
    building_a.pve.guest(101).status = "running"
    building_a.pve.guest(101).name = "renamed"
    building_a.sync()
    assert (building_b.machine(101).name, building_b.machine(101).status) == ("db-01", "stopped")


def test_a_new_guest_becomes_a_machine(building_a: Lab):
    building_a.pve.add_guest(110, name="new")
    assert building_a.sync().created == 1
    assert building_a.machine(110).name == "new"


def test_a_guest_that_moved_stays_the_same_machine(building_a: Lab):
    before = building_a.machine(101).pk
    building_a.pve.guest(101).node = "pve2"
    assert building_a.sync().changed == 1
    assert (building_a.machine(101).pk, building_a.machine(101).node) == (before, "pve2")


def test_a_sync_that_finds_nothing_new_writes_no_machine(building_a: Lab):
    with queries() as seen:
        outcome = building_a.sync()
    assert (outcome.seen, outcome.created, outcome.changed) == (4, 0, 0)
    assert not [sql for sql in writes(seen) if "vms_virtualmachine" in sql]


def test_a_sync_writes_only_the_machines_that_changed(building_a: Lab):
    building_a.pve.guest(101).name = "renamed"
    assert building_a.sync().changed == 1


def test_the_time_of_the_read_is_its_begin(building_a: Lab):
    before = timezone.now()
    building_a.sync()
    assert before <= ClusterSync.objects.get(cluster=building_a.row).synced_at <= timezone.now()


# What is absent


def test_a_guest_absent_from_a_complete_answer_is_missing_since_then(building_a: Lab):
    building_a.pve.remove_guest(104)
    began = timezone.now()
    assert building_a.sync().missing == 1
    assert missing(building_a) == [104]
    assert building_a.machine(104).missing_since >= began


def test_a_missing_machine_keeps_the_time_since_when(building_a: Lab):
    building_a.pve.remove_guest(104)
    building_a.sync()
    since = building_a.machine(104).missing_since
    building_a.sync()
    assert building_a.machine(104).missing_since == since


def test_a_guest_that_comes_back_is_the_same_machine(building_a: Lab):
    before = building_a.machine(104).pk
    building_a.pve.remove_guest(104)
    building_a.sync()
    building_a.pve.add_guest(104, name="net-04", node="pve2")
    building_a.sync()
    assert (building_a.machine(104).pk, building_a.machine(104).missing_since) == (before, None)


def test_an_empty_answer_is_not_believed(building_a: Lab):
    answer(building_a)
    assert "no machines at all" in building_a.sync().problem
    assert (vmids(building_a), missing(building_a)) == ([101, 102, 103, 104], [])


def test_an_account_that_lost_its_rights_takes_no_machine_away(building_a: Lab):
    building_a.pve.revoke("/", "portal@pve")
    assert "has lost permissions" in building_a.sync().problem
    assert (vmids(building_a), missing(building_a)) == ([101, 102, 103, 104], [])


def test_an_account_that_lost_its_rights_on_half_takes_no_machine_away(building_a: Lab):
    building_a.pve.revoke("/", "portal@pve")
    for vmid in (101, 102):
        building_a.pve.grant(f"/vms/{vmid}", "portal@pve", "Administrator")
    assert "2 machines fewer" in building_a.sync().problem
    assert missing(building_a) == []


@pytest.mark.parametrize(("lost", "believed"), [(3, True), (4, False)])
def test_more_than_three_in_ten_gone_at_once_is_not_believed(building_a: Lab, lost: int, believed: bool):
    for vmid in range(105, 111):
        building_a.pve.add_guest(vmid)
    building_a.sync()
    for vmid in range(101, 101 + lost):
        building_a.pve.remove_guest(vmid)
    building_a.sync()
    assert len(missing(building_a)) == (lost if believed else 0)


def test_with_rows_that_make_no_sense_nothing_is_missing(building_a: Lab):
    answer(building_a, row(101), row(102), row(103), row(104, node="../../access"))
    assert "1 entries" in building_a.sync().problem
    assert missing(building_a) == []


def test_the_rows_that_make_sense_are_taken_over_beside_the_others(building_a: Lab):
    answer(building_a, row(101, name="renamed"), row(99))
    building_a.sync()
    assert building_a.machine(101).name == "renamed"


def test_a_doubtful_answer_leaves_a_notice_and_the_time_of_the_last_good_one(building_a: Lab):
    before = ClusterSync.objects.get(cluster=building_a.row).synced_at
    answer(building_a)
    building_a.sync()
    now = ClusterSync.objects.get(cluster=building_a.row)
    assert (now.synced_at, "no machines at all" in now.notice) == (before, True)


def test_a_good_answer_takes_the_notice_away(building_a: Lab):
    answer(building_a)
    building_a.sync()
    building_a.pve.faults.clear()
    building_a.sync()
    assert ClusterSync.objects.get(cluster=building_a.row).notice == ""


NOT_PROXMOX = {
    "a web page": {"body": "<html>Log in to the network</html>", "headers": {"Content-Type": "text/html"}},
    "a redirect": {"status": 302, "headers": {"Location": "https://127.0.0.1:1/"}},
    "half of JSON": {"body": '{"data":[{"type":"qemu","vm'},
    "no list": {"body": '{"data":null}'},
    "an error": {"status": 500, "reason": "cluster not ready - no quorum?"},
    "a node that is down": {"status": 595, "reason": "No route to host"},
    "a refusal": {"status": 401, "reason": "permission denied"},
}


@pytest.mark.parametrize("reply", NOT_PROXMOX.values(), ids=NOT_PROXMOX)
def test_an_answer_that_is_none_changes_no_machine(building_a: Lab, reply: dict[str, Any]):
    building_a.pve.faults.reply(LIST, **reply)
    with queries() as seen:
        assert building_a.sync().problem
    assert not [sql for sql in writes(seen) if "vms_virtualmachine" in sql]


# Names and statuses


def test_a_machine_keeps_its_name_when_the_list_has_lost_it(building_a: Lab):
    building_a.pve.disconnect_node("pve2")
    building_a.clock.advance(301)
    building_a.sync()
    found = building_a.machine(102)
    assert (found.name, found.status, found.missing_since) == ("net-02", "running", None)


def test_a_status_that_was_asked_for_since_is_newer_than_the_list(building_a: Lab):
    building_a.machine(101).observe("running", at=timezone.now())
    building_a.sync()
    assert building_a.machine(101).status == "running"


def test_a_status_that_is_newer_than_the_list_is_no_change(building_a: Lab):
    building_a.machine(101).observe("running", at=timezone.now())
    assert building_a.sync().changed == 0


def test_the_other_facts_come_from_the_list_all_the_same(building_a: Lab):
    building_a.machine(101).observe("running", at=timezone.now())
    building_a.pve.guest(101).name = "renamed"
    building_a.sync()
    assert (building_a.machine(101).name, building_a.machine(101).status) == ("renamed", "running")


def test_a_list_is_newer_than_a_status_of_long_ago(building_a: Lab):
    building_a.machine(101).observe("running", at=timezone.now() - 2 * inventory.LIST_LAG)
    building_a.sync()
    assert building_a.machine(101).status == "stopped"


def test_a_status_observed_while_the_list_is_being_read_stays(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    read, machine = machine_table.read, building_a.machine(101)
    building_a.pve.guest(101).name = "renamed"

    def late(*args: Any, **others: Any) -> dict[int, machine_table.MachineRow]:
        """After the rows were read, and before they are written."""
        rows = read(*args, **others)
        machine.observe("running", at=timezone.now())
        return rows

    monkeypatch.setattr(machine_table, "read", late)
    building_a.sync()
    assert (building_a.machine(101).name, building_a.machine(101).status) == ("renamed", "running")


# Health


def test_a_cluster_that_fails_is_written_down_as_failing(building_a: Lab):
    building_a.pve.stop()
    building_a.sync()
    health = ClusterHealth.objects.get(cluster=building_a.row)
    assert (health.ok, "refuses connections" in health.problem) == (False, True)


def test_a_failing_cluster_keeps_the_time_since_when(building_a: Lab):
    building_a.pve.stop()
    ClusterHealth.failed("building-a", "before", at=(since := ago(minutes=12)))
    building_a.sync()
    assert ClusterHealth.objects.get(cluster=building_a.row).failing_since == since


def test_an_answer_ends_the_failure(building_a: Lab):
    ClusterHealth.failed("building-a", "before")
    building_a.sync()
    health = ClusterHealth.objects.get(cluster=building_a.row)
    assert (health.ok, health.failing_since, health.problem) == (True, None, "")


def test_a_cluster_deleted_meanwhile_gets_no_machines(building_a: Lab):
    config = building_a.config
    Cluster.objects.filter(pk=building_a.row.pk).delete()
    assert "deleted in the meantime" in inventory.sync(config).problem
    assert not VirtualMachine.objects.exists()
