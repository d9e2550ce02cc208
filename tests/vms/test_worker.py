"""The worker: what is due is done once, however many work, and one cluster's fault affects no other."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from accounts.models import User
from clusters.models import Adoption, Cluster, ClusterHealth
from tests.labs import Lab, ago, run_operations
from tests.own_database import default_connection, run_in_threads, second_connection, sqlite_only
from tests.waits import TIMEOUT
from vms import inventory, operations
from vms.access import rules
from vms.access.context import ActionContext
from vms.management.commands.worker import wait_longer_for_writers
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.worker import Worker, schedule
from vms.worker.database_backend import DatabaseBackend
from vms.worker.tasks import follow, look_closer

pytestmark = pytest.mark.usefixtures("own_database")

State = Operation.State
START = "/101/status/start$"
INTERVAL = ClusterSync().every
QUEUES = ["operations", "clusters", "details"]


def ended(worker: Worker) -> None:
    worker.stopping.set()
    worker.run()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    ended(made)


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    made = [Worker() for _ in range(4)]
    yield made
    for one in made:
        ended(one)


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the schedule does besides, and the facts of a new cluster, have tests of their own."""
    monkeypatch.setattr(schedule, "PERIODIC_JOBS", {})
    monkeypatch.setattr(inventory, "read_facts", lambda _: None)


def reads(lab: Lab) -> int:
    return lab.pve.count("GET", "/cluster/resources$")


@pytest.fixture
def operation(building_a: Lab, ana: User) -> Operation:
    """Ana wants 101 started. No sync is due."""
    asked = operations.request(building_a.assign(101, ana), "start", by=ana)[0]
    ClusterSync.objects.update(due_at=timezone.now() + INTERVAL)
    return asked


def turn(worker: Worker) -> None:
    """One turn, when everything that was sent is due to be looked at again."""
    Operation.objects.exclude(state=State.REQUESTED).update(next_look_at=None)
    worker.tick()
    worker.finish()


def due_now() -> None:
    ClusterSync.objects.update(due_at=timezone.now())


def state(operation: Operation) -> str:
    return Operation.objects.get(pk=operation.pk).state


# Operations


def test_a_worker_takes_an_operation_to_its_end(worker: Worker, building_a: Lab, operation: Operation):
    turn(worker)
    building_a.clock.advance(5)
    turn(worker)
    assert (state(operation), building_a.commands()) == (State.DONE, 1)


def test_the_operation_is_committed_as_sent_before_the_cluster_hears_of_it(
    worker: Worker, building_a: Lab, operation: Operation, monkeypatch: pytest.MonkeyPatch
):
    building_a.pve.faults.delay(START, 5.0)
    arrived = building_a.arrival("POST", monkeypatch)
    worker.tick()
    assert arrived.wait(TIMEOUT)
    with second_connection() as other:
        assert other.execute("SELECT state, upid FROM vms_operation").fetchall() == [("sent", "")]
    building_a.clock.advance(5)
    worker.finish()
    assert state(operation) == State.RUNNING


def test_while_one_worker_sends_the_others_leave_it_alone(
    workers: list[Worker], building_a: Lab, operation: Operation, monkeypatch: pytest.MonkeyPatch
):
    building_a.pve.faults.delay(START, 5.0)
    arrived = building_a.arrival("POST", monkeypatch)
    workers[0].tick()
    assert arrived.wait(TIMEOUT)
    for other in workers[1:]:
        turn(other)
    building_a.clock.advance(5)
    workers[0].finish()
    assert building_a.commands() == 1


def test_many_workers_send_once(workers: list[Worker], building_a: Lab, operation: Operation):
    assert run_in_threads(*[lambda one=one: turn(one) for one in workers]) == []
    assert building_a.commands() == 1


def test_threads_that_race_for_a_row_send_once(building_a: Lab, operation: Operation):
    operations.admit("building-a")
    rows = [Operation.objects.get(pk=operation.pk) for _ in range(8)]
    assert run_in_threads(*[lambda row=row: operations.take_step(row) for row in rows]) == []
    assert building_a.commands() == 1


def test_many_workers_send_once_when_no_answer_comes(
    workers: list[Worker], building_a: Lab, operation: Operation, impatient: None
):
    building_a.pve.faults.hang(START)
    for _ in range(2):
        assert run_in_threads(*[lambda one=one: turn(one) for one in workers]) == []
    assert (state(operation), building_a.commands()) == (State.SENT, 1)


def test_clicks_at_the_same_moment_are_one_operation(building_a: Lab, ana: User):
    machine, asked = building_a.assign(101, ana), []
    click = lambda: asked.append(operations.request(machine, "start", by=ana))  # noqa: E731
    assert run_in_threads(*[click] * 8) == []
    assert len({operation.pk for operation, _ in asked}) == 1
    assert [new for _, new in asked].count(True) == 1
    run_operations()
    assert building_a.commands() == 1


def test_of_two_different_clicks_at_the_same_moment_one_is_refused(
    building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch
):
    machine, check = building_a.assign(102, ana), rules.refusal

    def overtaken(context: ActionContext, action: str) -> str | None:
        reason = check(context, action)
        monkeypatch.setattr(rules, "refusal", check)
        operations.request(machine, "stop", by=ana)
        return reason

    monkeypatch.setattr(rules, "refusal", overtaken)
    with pytest.raises(operations.Refused, match="“Force stop” is in progress"):
        operations.request(machine, "shutdown", by=ana)


def test_a_worker_that_died_while_sending_is_not_repeated(worker: Worker, building_a: Lab, operation: Operation):
    operations.admit("building-a")
    dead = {"state": State.SENT, "attempt": 1, "sent_at": ago(minutes=2), "leased_until": ago(seconds=30)}
    Operation.objects.update(**dead)
    turn(worker)
    assert (state(operation), building_a.commands()) == (State.UNKNOWN, 0)


def test_what_another_worker_holds_is_left_to_it(worker: Worker, building_a: Lab, operation: Operation):
    Operation.objects.update(leased_until=timezone.now() + timedelta(seconds=45), attempt=1)
    turn(worker)
    assert (state(operation), building_a.pve.count()) == (State.REQUESTED, 0)


def test_one_operation_that_breaks_holds_up_no_other(
    worker: Worker, building_a: Lab, operation: Operation, ana: User, monkeypatch: pytest.MonkeyPatch
):
    other = operations.request(building_a.assign(104, ana), "start", by=ana)[0]
    send = operations.STEPS[State.REQUESTED]

    def broken(one: Operation, config: Any) -> None:
        if one.pk == operation.pk:
            raise RuntimeError("a bug")
        send(one, config)

    monkeypatch.setitem(operations.STEPS, State.REQUESTED, broken)
    turn(worker)
    assert (state(operation), state(other)) == (State.REQUESTED, State.RUNNING)


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="allowed: jobs are in Redis")
def test_a_job_that_another_worker_claimed_meanwhile_is_left_to_it(monkeypatch: pytest.MonkeyPatch):
    """Both have read the same row; the one that comes later takes the next job."""
    first, second = DatabaseBackend("first"), DatabaseBackend("second")
    claim, faster = second._claim, []
    for cluster_id in ("building-a", "building-b"):
        follow.enqueue(cluster_id)

    def overtaken(row: Any) -> bool:
        if not faster:
            faster.append(first.dequeue(QUEUES))
        return claim(row)

    monkeypatch.setattr(second, "_claim", overtaken)
    assert [bool(second.dequeue(QUEUES)) for _ in range(2)] == [True, False]
    jobs = DBTaskResult.objects.filter(status="RUNNING").values_list("worker_ids", flat=True)
    assert sorted(jobs) == [["first"], ["second"]]


# Syncs


def test_a_worker_reads_every_cluster_once_when_it_is_due(worker: Worker, building_a: Lab, building_b: Lab):
    turn(worker)
    turn(worker)
    assert (building_a.pve.count(), building_b.pve.count()) == (1, 1)


def test_a_cluster_is_read_again_when_its_interval_is_over(worker: Worker, building_a: Lab):
    turn(worker)
    due = ClusterSync.objects.get().due_at - timezone.now()
    assert INTERVAL * 0.8 < due <= INTERVAL
    due_now()
    turn(worker)
    assert building_a.pve.count() == 2


def test_many_workers_read_a_cluster_once(workers: list[Worker], building_a: Lab):
    due_now()
    assert run_in_threads(*[lambda one=one: turn(one) for one in workers]) == []
    assert building_a.pve.count() == 1


def test_a_cluster_that_is_down_leaves_the_others_up_to_date(worker: Worker, building_a: Lab, building_b: Lab):
    building_a.pve.stop()
    building_b.pve.guest(101).name = "renamed"
    turn(worker)
    assert building_b.machine(101).name == "renamed"
    healthy = dict(ClusterHealth.objects.values_list("cluster__cluster_id", "ok"))
    assert healthy == {"building-a": False, "building-b": True}


def test_a_cluster_that_hangs_holds_up_no_other(
    worker: Worker, building_a: Lab, building_b: Lab, monkeypatch: pytest.MonkeyPatch
):
    building_a.pve.faults.delay("^/cluster/resources$", 5.0)
    asked, read = building_a.arrival("GET", monkeypatch), building_b.arrival("GET", monkeypatch)
    worker.tick()
    assert asked.wait(TIMEOUT)
    assert read.wait(TIMEOUT)
    building_a.clock.advance(5)
    worker.finish()


def test_details_of_many_machines_hold_up_no_sync(building_a: Lab, building_b: Lab, monkeypatch: pytest.MonkeyPatch):
    go, read = threading.Event(), building_b.arrival("GET", monkeypatch)
    monkeypatch.setattr(inventory, "read_details", lambda _: go.wait(TIMEOUT))
    for _ in range(3):
        look_closer.enqueue("building-a")
    worker = Worker(threads=dict.fromkeys(QUEUES, 2))
    try:
        worker.tick()
        assert read.wait(TIMEOUT)
    finally:
        go.set()
        worker.finish()
        ended(worker)


def test_a_cluster_that_hangs_is_not_asked_again_meanwhile(
    worker: Worker, building_a: Lab, monkeypatch: pytest.MonkeyPatch
):
    building_a.pve.faults.delay("^/cluster/resources$", 5.0)
    asked = building_a.arrival("GET", monkeypatch)
    worker.tick()
    assert asked.wait(TIMEOUT)
    worker.tick()
    building_a.clock.advance(5)
    worker.finish()
    assert building_a.pve.count() == 1


def test_an_inactive_cluster_is_not_read(worker: Worker, building_a: Lab):
    building_a.row.deactivate()
    turn(worker)
    assert building_a.pve.count() == 0


def test_a_cluster_saved_just_now_is_read_at_once(worker: Worker, building_a: Lab):
    VirtualMachine.objects.all().delete()
    ClusterSync.objects.all().delete()
    turn(worker)
    assert building_a.machine(101).name == "net-01"


# Where clusters come from


@pytest.fixture
def unimported(building_a: Lab, tmp_path: Path, settings: Any) -> Lab:
    """The cluster is in a file, and the database never had one."""
    entry = {"id": "building-a", "host": building_a.pve.host, "port": building_a.pve.port, "user": "portal@pve",
             "password": "unused", "fingerprint": building_a.pve.fingerprint()}  # fmt: skip
    (tmp_path / "clusters.json").write_text(json.dumps([entry]))
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    Cluster.objects.all().delete()
    Adoption.objects.all().delete()
    return building_a


def test_a_worker_does_nothing_with_an_unimported_file(worker: Worker, unimported: Lab):
    turn(worker)
    assert unimported.pve.count() == 0
    assert not VirtualMachine.objects.exists()


def test_a_worker_sends_no_operation_to_a_cluster_of_a_file(worker: Worker, unimported: Lab, ana: User):
    kept = Operation.objects.create(cluster_id="building-a", vmid=101, action="start", requested_by=ana)
    turn(worker)
    assert (state(kept), unimported.pve.count()) == (State.REQUESTED, 0)


# The loop


def test_a_worker_that_is_stopped_ends(worker: Worker):
    worker.stopping.set()
    worker.run()


def test_a_worker_outlives_a_database_that_is_away(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    turns = iter([True, False])

    def look() -> float:
        if next(turns):
            raise OperationalError
        worker.stopping.set()
        return 0.0

    monkeypatch.setattr(worker.heartbeat, "tick", look)
    monkeypatch.setattr(worker.stopping, "wait", lambda seconds: None)
    worker.run()
    assert "it tries again" in caplog.text


@sqlite_only
def test_jobs_wait_longer_for_other_writers_than_pages():
    found: list[int] = []

    def ask() -> None:
        with connection.cursor() as cursor:
            found.append(cursor.execute("PRAGMA busy_timeout").fetchone()[0])

    with default_connection(OPTIONS={"timeout": 5}):
        for act in (ask, wait_longer_for_writers, ask):
            act()
        assert run_in_threads(ask) == []
    assert found == [5000, 30_000, 30_000]
