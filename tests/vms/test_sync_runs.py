"""What a read of a cluster writes, counts and says of its health, and what is forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from clusters.models import ClusterHealth
from tests.labs import Lab, ago, queries, writes
from tests.vms.resource_lists import NODES, answer, row
from vms import inventory
from vms.models import ClusterSync, Node, Pool, SyncRun

pytestmark = pytest.mark.django_db


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


def test_a_cluster_that_comes_back_is_read_within_half_a_minute(building_a: Lab):
    for failures in range(12):
        ClusterSync.objects.update(failures=failures, due_at=ago(seconds=1))
        attempt = ClusterSync.claim("building-a", timezone.now())
        ClusterSync.schedule_next("building-a", attempt=attempt, failed=True)
        assert ClusterSync.objects.get().due_at < timezone.now() + timedelta(seconds=30 - 10)  # of a time limit of 10


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


def test_a_cluster_has_a_deadline_of_its_own(building_a: Lab, settings: Any):
    """Everybody else's would be later than a test is waited for."""
    settings.SYNC_DEADLINE = 3600
    ClusterSync.objects.update(deadline=1)
    building_a.pve.faults.hang("^/cluster/resources$")
    assert "in time" in building_a.sync().problem


@pytest.mark.parametrize(("failures", "pause"), [(0, 15), (1, 15), (2, 15), (3, 20), (50, 20)])
def test_a_cluster_that_fails_three_times_is_asked_less_often(failures: int, pause: int):
    assert ClusterSync(failures=failures).delay == timedelta(seconds=pause)


@pytest.mark.parametrize(
    ("took", "failures", "pause"), [(0, 0, 6), (2, 0, 4), (4, 0, 3), (60, 0, 3), (2, 1, 6), (60, 3, 12)]
)
def test_the_interval_counts_from_when_a_sync_was_asked_for(took: int, failures: int, pause: int):
    """A cluster that answers slowly rests for half of it; one that fails, for a whole one."""
    now = timezone.now()
    ended = ClusterSync(interval=6, failures=failures, asked_at=now - timedelta(seconds=took))
    assert ended.next_due(now) == now + timedelta(seconds=pause)
