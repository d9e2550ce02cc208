"""How many are let through at once, also within one and the same look."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from tests.labs import Lab
from vms import operations
from vms.models import ClusterSync, Operation
from vms.operations import admission, enqueue

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(building_a: Lab, ana: User) -> Lab:
    """Four machines of pve1 and one of pve2 that are to be started."""
    for vmid in (111, 112, 113):
        building_a.pve.add_guest(vmid, node="pve1")
    building_a.sync()
    for vmid in (101, 111, 112, 113, 104):
        operations.request(building_a.assign(vmid, ana), "start", by=ana)
    return building_a


def under_way() -> list[str]:
    return sorted(Operation.objects.under_way().values_list("node", flat=True))


@pytest.mark.parametrize(("node", "cluster", "admitted"), [(1, 9, 2), (2, 9, 3), (9, 3, 3), (9, 9, 5)])
def test_one_look_lets_no_more_through_than_node_and_cluster_bear(waiting: Lab, node: int, cluster: int, admitted: int):
    ClusterSync.objects.update(node_limit=node, cluster_limit=cluster)
    assert operations.admit("building-a") == admitted
    assert under_way().count("pve1") <= node
    assert len(under_way()) == admitted


def test_what_was_let_through_before_counts_too(waiting: Lab):
    ClusterSync.objects.update(node_limit=1, cluster_limit=9)
    assert [operations.admit("building-a") for _ in range(2)] == [2, 0]
    assert under_way() == ["pve1", "pve2"]


def test_a_limit_that_was_lowered_lets_nobody_through_until_there_is_room(waiting: Lab):
    ClusterSync.objects.update(node_limit=2, cluster_limit=9)
    assert operations.admit("building-a") == 3
    ClusterSync.objects.update(node_limit=1)
    assert operations.admit("building-a") == 0


def test_where_a_cluster_has_no_limits_of_its_own_those_of_the_portal_count(waiting: Lab, settings: Any):
    settings.OPERATIONS_PER_NODE, settings.OPERATIONS_PER_CLUSTER = 2, 9
    assert operations.admit("building-a") == 3
    settings.OPERATIONS_PER_CLUSTER = 4
    Operation.objects.waiting().update(vm=waiting.machine(104))
    assert operations.admit("building-a") == 1
    assert operations.admit("building-a") == 0


def test_what_was_let_through_is_handed_over_save_what_the_caller_works_on(
    waiting: Lab, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
):
    handed: list[UUID] = []
    monkeypatch.setattr(enqueue, "operation", handed.append)
    ClusterSync.objects.update(node_limit=9, cluster_limit=9)
    mine = Operation.objects.waiting().first()
    with django_capture_on_commit_callbacks(execute=True):
        operations.admit("building-a", without=mine.pk)
    assert len(handed) == 4
    assert mine.pk not in handed
    for one in Operation.objects.under_way():
        assert one.next_look_at - one.admitted_at == timedelta(seconds=10)


def test_what_waited_for_more_than_half_an_hour_is_dropped(waiting: Lab, monkeypatch: pytest.MonkeyPatch):
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(admission, "timezone", SimpleNamespace(now=lambda: now))
    half_an_hour = timedelta(minutes=30)
    late, just, *others = Operation.objects.waiting()
    Operation.objects.update(requested_at=now)
    Operation.objects.filter(pk=late.pk).update(requested_at=now - half_an_hour - timedelta(microseconds=1))
    Operation.objects.filter(pk=just.pk).update(requested_at=now - half_an_hour)
    ClusterSync.objects.update(node_limit=9, cluster_limit=9)
    assert operations.admit("building-a") == 1 + len(others)
    late.refresh_from_db()
    assert (late.state, late.finished_at) == (Operation.State.CANCELLED, now)
    assert "waited too long" in late.outcome


def test_how_many_are_before(waiting: Lab, building_b: Lab, ana: User):
    operations.request(building_b.assign(101, ana), "start", by=ana)
    every = list(Operation.objects.waiting())
    before = admission.queue_positions(every)
    of_node = {one.vmid: before[one.pk] for one in every if one.cluster_id == "building-a"}
    assert of_node == {101: 0, 111: 1, 112: 2, 113: 3, 104: 0}
    assert [before[one.pk] for one in every if one.cluster_id == "building-b"] == [0]
    last = Operation.objects.get(vmid=113)
    assert {one.pk: operations.queue_position(one) for one in every} == before
    Operation.objects.update(requested_at=last.requested_at)  # then their keys decide
    assert {one.pk: operations.queue_position(one) for one in every} == admission.queue_positions(every)
    for one in every:
        one.save(update_fields=["requested_at"])
    ClusterSync.objects.update(node_limit=1, cluster_limit=9)
    operations.admit("building-a")
    admitted = Operation.objects.under_way().first()
    assert (operations.queue_position(last), operations.queue_position(admitted)) == (2, 0)
    assert admission.queue_positions([admitted]) == {}
    last.state = Operation.State.DONE
    assert admission.queue_positions([last]) == {}
