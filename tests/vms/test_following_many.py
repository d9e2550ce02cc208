"""A class starts its machines: the tasks of a node are asked for together, as long as they run."""

import pytest
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, run_operations
from vms import operations
from vms.models import ClusterSync, Operation
from vms.operations.following import MAX_PAUSE

pytestmark = pytest.mark.django_db

STATUS, LIST = r"/tasks/UPID[^/]*/status$", "/nodes/pve1/tasks$"
COUNT = 5
State = Operation.State


@pytest.fixture
def started(building_a: Lab, lab_admin: User) -> Lab:
    """Five machines of a node, all of which are starting."""
    ClusterSync.objects.update(cluster_limit=20, node_limit=20)
    for vmid in range(501, 501 + COUNT):
        building_a.pve.add_guest(vmid, name=f"pc-{vmid}", node="pve1")
    building_a.sync()
    for vmid in range(501, 501 + COUNT):
        operations.request(building_a.machine(vmid), "start", by=lab_admin)
    run_operations()
    assert states() == {State.RUNNING: COUNT}
    building_a.pve.clear_requests()
    return building_a


def states() -> dict[str, int]:
    found = list(Operation.objects.values_list("state", flat=True))
    return {state: found.count(state) for state in found}


def follow() -> None:
    """When all are due."""
    Operation.objects.update(next_look_at=None)
    operations.follow_cluster("building-a")


def asked(lab: Lab) -> tuple[int, int]:
    return lab.pve.count("GET", LIST), lab.pve.count("GET", STATUS)


def test_tasks_that_run_are_asked_for_by_one_request_and_are_due_again(started: Lab):
    follow()
    assert asked(started) == (1, 0)
    assert states() == {State.RUNNING: COUNT}
    now = timezone.now()
    assert not Operation.objects.due(now).exists()
    assert Operation.objects.due(now + MAX_PAUSE).count() == COUNT


def test_those_that_ended_are_asked_for_and_over(started: Lab):
    started.clock.advance(5)
    follow()
    assert asked(started) == (1, COUNT)
    assert states() == {State.DONE: COUNT}


def test_a_single_one_is_asked_for_by_itself(started: Lab):
    Operation.objects.exclude(vmid=501).delete()
    follow()
    assert asked(started) == (0, 1)


def test_a_node_that_does_not_say_leaves_them_to_be_asked_for_one_by_one(started: Lab):
    started.pve.faults.reply("/nodes/pve1/tasks", 500)
    follow()
    assert asked(started)[1] == COUNT
    assert states() == {State.RUNNING: COUNT}


def test_one_that_runs_too_long_is_given_up_all_the_same(started: Lab):
    Operation.objects.filter(vmid=501).update(sent_at="2020-01-01T00:00Z")
    follow()
    assert Operation.objects.get(vmid=501).state == State.UNKNOWN
    assert asked(started) == (1, 1)
