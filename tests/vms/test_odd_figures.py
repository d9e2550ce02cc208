"""Figures that make no sense hide no machine."""

from typing import Any

import pytest
from django.utils import timezone

from clusters import gateway
from clusters.models import Cluster
from tests.labs import Lab, ago
from tests.vms.resource_lists import NODES, answer, row
from vms.models import ClusterSync
from vms.monitoring import health_checks

pytestmark = pytest.mark.django_db

ODD = {
    "a negative uptime": {"uptime": -3600},
    "an uptime that is no number": {"uptime": "nan"},
    "a negative disk": {"maxdisk": -1},
    "more memory than a database holds": {"maxmem": 2**64 - 1},
    "processors in words": {"maxcpu": "NaN"},
    "an object for the memory": {"maxmem": {"bytes": 1}},
}


def say(lab: Lab, **facts: Any) -> None:
    """From now on, the list has these facts of 103."""
    rows = [row(vmid, maxcpu=2, maxmem=2**30, maxdisk=2**33) for vmid in (101, 102, 104)]
    answer(lab, *NODES, *rows, row(103, type="lxc", status="running") | facts)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_the_machine_is_shown_and_nothing_is_suspicious(building_a: Lab, odd: dict[str, Any]):
    say(building_a, **odd)
    result = building_a.sync()
    assert (building_a.machine(103).status, result.problem, result.seen) == ("running", "", 4)


def test_only_the_odd_figure_counts_as_nothing(building_a: Lab):
    say(building_a, uptime=-3600, maxmem=2**31, maxcpu=2)
    building_a.sync()
    machine = building_a.machine(103)
    assert (machine.booted_at, machine.memory, machine.cpus) == (None, 2**31, 2)


def test_staff_are_told_which_machines_have_odd_figures_as_long_as_they_have_them(building_a: Lab):
    say(building_a, maxdisk=-1)
    building_a.sync()
    building_a.sync()
    assert "103" in ClusterSync.objects.get().notice
    say(building_a)
    building_a.sync()
    assert ClusterSync.objects.get().notice == ""


def test_an_odd_figure_makes_no_cluster_out_of_date(building_a: Lab):
    say(building_a, uptime=-3600)
    ClusterSync.objects.update(synced_at=ago(minutes=17))
    Cluster.objects.update(created_at=ago(hours=1), updated_at=ago(hours=1))
    building_a.sync()
    assert not any(health_checks.check(health_checks.gather()[0], timezone.now()).values())


def test_odd_figures_are_not_the_reason_when_the_list_becomes_old(building_a: Lab):
    say(building_a, uptime=-3600)
    building_a.sync()
    ClusterSync.objects.update(synced_at=ago(minutes=17))
    Cluster.objects.update(created_at=ago(hours=1), updated_at=ago(hours=1))
    issues = health_checks.check(health_checks.gather()[0], timezone.now())
    assert any("worker" in issue.text for issue in issues.values() if issue)


def test_a_row_that_is_rejected_is_named(building_a: Lab):
    say(building_a, node="../../access")
    assert "VMID 103" in building_a.sync().problem


def test_rows_without_a_usable_number_are_only_counted(building_a: Lab):
    say(building_a, vmid=99)
    problem = building_a.sync().problem
    assert "1 entries" in problem
    assert "VMID" not in problem


def test_a_machine_with_an_odd_uptime_can_be_looked_at(building_a: Lab):
    building_a.pve.faults.reply("/lxc/103/status/current$", body='{"data": {"status": "running", "uptime": -3600}}')
    with gateway.read(building_a.config) as pve:
        found = pve.guest_status("pve1", "lxc", 103)
    assert (found.status, found.uptime) == ("running", 0)
