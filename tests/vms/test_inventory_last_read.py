"""Reads that look only at what differs from the one before, and when they must look at everything."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from clusters import proxmox
from clusters.models import Cluster
from tests.labs import Lab, ago, queries
from tests.vms.resource_lists import LIST, NODES, answer, missing, node, row, vmids
from vms import inventory
from vms.inventory import last_read, sync_runs
from vms.models import ClusterSync, Node, Pool, VirtualMachine

pytestmark = pytest.mark.django_db

Guest = Any
FACTS: dict[str, tuple[Callable[[Guest], None], Any]] = {
    "name": (lambda guest: setattr(guest, "name", "renamed"), "renamed"),
    "status": (lambda guest: setattr(guest, "status", "running"), "running"),
    "node": (lambda guest: setattr(guest, "node", "pve2"), "pve2"),
    "lock": (lambda guest: setattr(guest, "lock", "backup"), "backup"),
    "tags": (lambda guest: setattr(guest, "tags", ("new",)), "new"),
    "cpus": (lambda guest: setattr(guest, "maxcpu", 4), 4),
    "memory": (lambda guest: setattr(guest, "maxmem", 5 << 30), 5 << 30),
    "disk": (lambda guest: setattr(guest, "maxdisk", 7 << 30), 7 << 30),
    "template": (lambda guest: setattr(guest, "template", True), True),
}
FOUR = [row(101), row(102), row(103, type="lxc"), row(104)]


@pytest.fixture(autouse=True)
def _read_before(building_a: Lab) -> None:
    """By this process, which keeps what it read."""
    building_a.sync()
    building_a.pve.clear_requests()


def is_full_read(lab: Lab) -> bool:
    """Whether a read looks at everything, as at the nodes that it knows."""
    with queries() as seen:
        lab.sync()
    return any(Node._meta.db_table in query["sql"] for query in seen)


def sync_elsewhere(lab: Lab) -> None:
    """A read by another process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_read, "_last_reads", {})
        lab.sync()


def test_a_second_read_looks_only_at_what_differs(building_a: Lab):
    assert not is_full_read(building_a)


def test_it_tells_how_many_machines_there_are(building_a: Lab):
    assert building_a.sync().seen == 4


def test_it_reads_no_machine_that_is_as_before(building_a: Lab):
    with queries() as seen:
        building_a.sync()
    assert not [query for query in seen if '"booted_at"' in query["sql"]]


@pytest.mark.parametrize("column", FACTS)
def test_it_sees_that_a_fact_changed(building_a: Lab, column: str):
    change, expected = FACTS[column]
    change(building_a.pve.guest(101))
    assert not is_full_read(building_a)
    assert getattr(building_a.machine(101), column) == expected


def test_it_changes_no_other_machine(building_a: Lab):
    building_a.pve.guest(101).name = "renamed"
    assert building_a.sync().changed == 1


def test_it_sees_another_state_of_high_availability(building_a: Lab):
    answer(building_a, *FOUR, *NODES)
    building_a.sync()
    answer(building_a, row(101, hastate="started"), *FOUR[1:], *NODES)
    assert not is_full_read(building_a)
    assert building_a.machine(101).ha_state == "started"


def test_it_sees_that_a_machine_came_into_a_pool(building_a: Lab):
    answer(building_a, row(101, pool="labs"), *FOUR[1:], *NODES)
    building_a.sync()
    answer(building_a, row(101, pool="new"), *FOUR[1:], *NODES)
    assert not is_full_read(building_a)
    assert building_a.machine(101).pool == "new"
    assert Pool.objects.filter(name="new", missing_since=None).exists()


def test_it_sees_another_start(building_a: Lab):
    answer(building_a, row(101, status="running", uptime=5000), *FOUR[1:], *NODES)
    building_a.sync()
    answer(building_a, row(101, status="running", uptime=10), *FOUR[1:], *NODES)
    assert not is_full_read(building_a)
    assert building_a.machine(101).booted_at > ago(seconds=60)


def test_small_differences_of_an_uptime_are_no_other_start(building_a: Lab):
    answer(building_a, row(101, status="running", uptime=5000), *FOUR[1:], *NODES)
    building_a.sync()
    answer(building_a, row(101, status="running", uptime=4990), *FOUR[1:], *NODES)
    assert building_a.sync().changed == 0


def test_a_new_guest_is_seen(building_a: Lab):
    building_a.pve.add_guest(110)
    assert building_a.sync().created == 1


def test_a_guest_in_the_place_of_another_is_seen(building_a: Lab):
    building_a.pve.remove_guest(104)
    building_a.pve.add_guest(110)
    building_a.sync()
    assert (missing(building_a), 110 in vmids(building_a)) == ([104], True)


def test_every_read_that_lacks_a_guest_counts(building_a: Lab):
    building_a.pve.remove_guest(104)
    assert [building_a.sync().gone for _ in range(3)] == [0, 0, 1]


def test_a_node_that_goes_offline_is_seen(building_a: Lab):
    answer(building_a, *FOUR, *NODES, node("pve3"))
    building_a.sync()
    answer(building_a, *FOUR, *NODES, node("pve3", online=False))
    building_a.sync()
    assert not Node.objects.get(name="pve3").online


def test_a_row_that_makes_no_sense_is_rejected(building_a: Lab):
    answer(building_a, *FOUR, *NODES)
    building_a.sync()
    answer(building_a, row(101, node="../../access"), *FOUR[1:], *NODES)
    assert "1 entries" in building_a.sync().problem


# What makes the next read a whole one


def test_after_a_minute_everything_is_looked_at(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    VirtualMachine.objects.filter(vmid=101).update(name="by hand")
    building_a.sync()
    assert building_a.machine(101).name == "by hand"
    monkeypatch.setattr(last_read, "FULL_READ_EVERY", 0.0)
    building_a.sync()
    assert building_a.machine(101).name == "net-01"


def test_reads_in_between_make_the_minute_no_longer(building_a: Lab):
    known = last_read.recall(building_a.config)
    building_a.sync()
    after = last_read.recall(building_a.config)
    assert known
    assert after
    assert (after is known, after.full_at) == (False, known.full_at)


def test_a_status_that_was_asked_for_is_corrected_before_that(building_a: Lab):
    building_a.machine(101).observe("running", at=timezone.now() - 2 * inventory.LIST_LAG)
    assert not is_full_read(building_a)
    assert building_a.machine(101).status == "stopped"


def test_a_read_by_another_worker_in_between(building_a: Lab):
    sync_elsewhere(building_a)
    assert is_full_read(building_a)


def test_what_another_worker_wrote_is_not_taken_for_known(building_a: Lab):
    building_a.pve.guest(101).name = "for a moment"
    sync_elsewhere(building_a)
    building_a.pve.guest(101).name = "net-01"
    building_a.sync()
    assert building_a.machine(101).name == "net-01"


def test_a_read_by_another_worker_meanwhile(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    read = proxmox.Reader.resources_since

    def slowly(*args: Any, **others: Any) -> proxmox.Resources:
        found = read(*args, **others)
        monkeypatch.setattr(proxmox.Reader, "resources_since", read)
        building_a.pve.guest(101).name = "for a moment"
        sync_elsewhere(building_a)
        building_a.pve.guest(101).name = "net-01"
        return found

    monkeypatch.setattr(proxmox.Reader, "resources_since", slowly)
    assert building_a.sync().problem == ""
    assert building_a.machine(101).name == "net-01"


@pytest.mark.parametrize("state", [{"notice": "in doubt"}, {"quorate": False}, {"believe_down_to": 4}])
def test_a_doubt(building_a: Lab, state: dict[str, Any]):
    ClusterSync.objects.update(**state)
    assert is_full_read(building_a)


def test_a_failure(building_a: Lab):
    building_a.pve.faults.reply(LIST, status=500)
    building_a.sync()
    building_a.pve.faults.clear()
    assert is_full_read(building_a)


def test_another_credential(building_a: Lab):
    Cluster.objects.filter(pk=building_a.row.pk).update(credential_version=99)
    assert is_full_read(building_a)


def test_another_database(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(connection.settings_dict, "NAME", "another")
    assert is_full_read(building_a)


def test_a_read_that_could_not_be_written_is_not_remembered(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    building_a.pve.guest(101).name = "renamed"
    with monkeypatch.context() as patch:
        patch.setattr(sync_runs, "record", lambda *args, **others: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            building_a.sync()
    building_a.sync()
    assert building_a.machine(101).name == "renamed"


def test_a_read_that_was_rolled_back_later_is_not_believed(building_a: Lab):
    building_a.pve.guest(101).name = "renamed"
    with transaction.atomic():
        building_a.sync()
        transaction.set_rollback(True)
    assert building_a.machine(101).name == "net-01"
    building_a.sync()
    assert building_a.machine(101).name == "renamed"


def test_a_read_that_came_late_is_not_remembered(building_a: Lab):
    attempt = building_a.row.sync.attempt
    building_a.pve.guest(101).name = "renamed"
    assert inventory.sync(building_a.config, attempt=attempt + 1).failed
    assert inventory.sync(building_a.config, attempt=attempt).changed == 1


def test_a_cluster_that_was_deleted_is_forgotten(building_a: Lab):
    config = building_a.config
    Cluster.objects.filter(pk=building_a.row.pk).delete()
    inventory.sync(config)
    assert last_read.recall(config) is None


def test_what_is_too_old_to_be_used_is_forgotten(building_a: Lab, building_b: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(last_read, "FULL_READ_EVERY", 0.0)
    building_a.sync()
    assert len(last_read._last_reads) == 1
