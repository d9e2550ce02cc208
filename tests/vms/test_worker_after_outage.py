"""No worker ran for an hour; then one starts: after its first cycle everything is as it should be."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab
from vms import operations
from vms.models import Assignment, ClusterSync, Operation, Schedule, VirtualMachine
from vms.worker import Worker, schedule

pytestmark = pytest.mark.usefixtures("own_database")

HOUR = timedelta(hours=1)


@pytest.fixture
def cycle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that has just started."""
    monkeypatch.setattr(schedule, "PERIODIC_JOBS", {})
    worker = Worker()
    yield worker
    worker.stopping.set()
    worker.run()


def an_hour_passes() -> None:
    """What is in the tables becomes an hour older."""
    ClusterSync.objects.update(due_at=F("due_at") - HOUR, synced_at=F("synced_at") - HOUR)
    Operation.objects.update(requested_at=F("requested_at") - HOUR)
    for running in Operation.objects.exclude(sent_at=None):
        Operation.objects.filter(pk=running.pk).update(
            admitted_at=running.admitted_at - HOUR, sent_at=running.sent_at - HOUR, leased_until=None, next_look_at=None
        )
    Schedule.objects.update(next_at=F("next_at") - HOUR)


def one_cycle(worker: Worker) -> None:
    worker.tick()
    worker.finish()


def test_machines_are_as_the_cluster_has_them_after_one_read(building_a: Lab, cycle: Worker):
    an_hour_passes()
    building_a.pve.guest(101).status = "running"
    building_a.pve.guest(102).name = "renamed"
    building_a.pve.add_guest(105, name="net-05", node="pve1")
    one_cycle(cycle)
    found = dict(VirtualMachine.objects.values_list("vmid", "status"))
    assert (found[101], building_a.machine(102).name, 105 in found) == ("running", "renamed", True)
    assert building_a.pve.count("GET", "/cluster/resources$") == 1
    assert timezone.now() - ClusterSync.objects.get().synced_at < timedelta(minutes=1)


def test_every_cluster_is_caught_up_in_the_same_cycle(building_a: Lab, building_b: Lab, cycle: Worker):
    an_hour_passes()
    building_a.pve.guest(101).status = building_b.pve.guest(101).status = "running"
    one_cycle(cycle)
    assert {building_a.machine(101).status, building_b.machine(101).status} == {"running"}


def test_what_was_under_way_is_settled_and_not_sent_again(building_a: Lab, ana: User, cycle: Worker):
    operation = operations.request(building_a.assign(101, ana), "start", by=ana)[0]
    one_cycle(cycle)
    building_a.clock.advance(5)  # it ended while nobody looked
    an_hour_passes()
    one_cycle(cycle)
    operation.refresh_from_db()
    assert (operation.state, building_a.commands()) == (Operation.State.DONE, 1)


def test_what_nobody_sent_in_time_is_dropped_and_says_so(building_a: Lab, ana: User, cycle: Worker):
    operation = operations.request(building_a.assign(101, ana), "start", by=ana)[0]
    an_hour_passes()
    one_cycle(cycle)
    operation.refresh_from_db()
    assert (operation.state, "Try again" in operation.outcome) == (Operation.State.CANCELLED, True)
    assert (building_a.commands(), Assignment.objects.live().count()) == (0, 1)
