"""`bin/manage worker` as a process: it starts what is asked for, finishes what runs, and its death loses nothing."""

import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

import pvesim
from accounts.models import User
from tests.labs import Lab, add_cluster
from tests.processes import begun
from tests.waits import TIMEOUT, read_line_with, wait_until
from vms import inventory, operations
from vms.models import ClusterSync, Operation, VirtualMachine, WorkerBeat

pytestmark = pytest.mark.usefixtures("own_database")

State = Operation.State
READY = "The worker is running"


@pytest.fixture
def pve() -> Iterator[pvesim.Cluster]:
    """101 is stopped. Time goes by."""
    with pvesim.Simulator() as simulator:
        made = simulator.add_cluster("lab", nodes=("pve1",), statd_interval=0.0)
        made.add_user("portal@pve", password="unused", acl={"/": "Administrator"})
        made.add_guest(101)
        inventory.sync(add_cluster(made, "lab").config)
        yield made


def click(by: User, action: str = "start") -> Operation:
    return operations.request(VirtualMachine.objects.get(), action, by=by)[0]


def in_state(operation: Operation, *states: str) -> bool:
    operation.refresh_from_db()
    return operation.state in states


def test_a_click_is_sent_at_once_and_done_soon(pve: pvesim.Cluster, admin: User):
    """Both of them long before the worker would look at the cluster again."""
    with begun("manage.py", "worker", SYNC_INTERVAL="3600") as program:
        read_line_with(program, READY)
        wait_until(lambda: ClusterSync.objects.get().attempt > 0)
        operation = click(admin)
        wait_until(lambda: in_state(operation, State.RUNNING, State.DONE))
        wait_until(lambda: in_state(operation, State.DONE))


def test_a_worker_that_is_asked_to_stop_finishes_what_runs(pve: pvesim.Cluster, admin: User):
    pve.faults.delay("/status/start$", 2.0)
    with begun("manage.py", "worker") as program:
        read_line_with(program, READY)
        operation = click(admin)
        wait_until(lambda: in_state(operation, State.SENT))
        program.send_signal(signal.SIGTERM)
        assert program.wait(TIMEOUT) == 0
    assert in_state(operation, State.RUNNING)
    assert not WorkerBeat.objects.exists()


def test_a_worker_that_is_asked_twice_stops_at_once(pve: pvesim.Cluster, admin: User):
    pve.faults.hang("/status/start$")
    with begun("manage.py", "worker") as program:
        read_line_with(program, READY)
        operation = click(admin)
        wait_until(lambda: in_state(operation, State.SENT))
        # Two signals at once are one.
        wait_until(lambda: program.send_signal(signal.SIGTERM) or program.poll() is not None)
        assert program.returncode == 1


def test_the_work_of_a_killed_worker_is_taken_up_within_a_minute(pve: pvesim.Cluster, admin: User):
    pve.faults.delay("/status/start$", 2.0, times=1)
    with begun("manage.py", "worker") as first:
        read_line_with(first, READY)
        operation = click(admin)
        wait_until(lambda: pve.count("POST", "/status/start$") == 1)
        first.kill()
    Operation.objects.update(leased_until=timezone.now() + timedelta(seconds=5))  # most of the lease is over
    with begun("manage.py", "worker"):
        wait_until(lambda: in_state(operation, State.DONE))
    assert settings.OPERATION_LEASE <= 45
    assert pve.count("POST", "/status/start$") == 1


def test_a_job_that_was_never_enqueued_is_found(pve: pvesim.Cluster, admin: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vms.operations.enqueue.operation", lambda one: None)
    operation = click(admin)
    with begun("manage.py", "worker"):
        wait_until(lambda: in_state(operation, State.DONE))


def test_a_living_worker_is_known(pve: pvesim.Cluster):
    with begun("manage.py", "worker") as program:
        read_line_with(program, READY)
        wait_until(WorkerBeat.objects.exists)
        assert timezone.now() - WorkerBeat.objects.get().seen_at < WorkerBeat.DEAD_AFTER


def test_a_worker_that_was_stopped_between_claim_and_call_sends_nothing(
    building_a: Lab, admin: User, monkeypatch: pytest.MonkeyPatch
):
    """Its lease is over when it wakes up, and another one has looked and given up."""
    operation = operations.request(building_a.machine(101), "start", by=admin)[0]
    operations.admit("building-a")
    advance = Operation.advance

    def asleep(self: Operation, state: str, **fields: object) -> bool:
        taken = advance(self, state, **fields)  # type: ignore[arg-type]
        if state == State.SENT:
            self._lease_ends = 0.0
            Operation.objects.update(attempt=self.attempt + 1, state=State.UNKNOWN, finished_at=timezone.now())
        return taken

    monkeypatch.setattr(Operation, "advance", asleep)
    operations.take_step(Operation.objects.get(pk=operation.pk))
    assert (in_state(operation, State.UNKNOWN), building_a.commands()) == (True, 0)
