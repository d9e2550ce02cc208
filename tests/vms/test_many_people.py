"""Many people at once: one click counts, the limits hold and are used, and everything settles."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import pvesim
from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, add_cluster
from tests.own_database import ON_POSTGRES, run_in_threads
from tests.processes import begun
from tests.samples import OPERATIONS
from tests.waits import read_line_with
from vms import inventory, operations
from vms.models import ClusterSync, Operation, VirtualMachine
from vms.worker import Worker

pytestmark = pytest.mark.usefixtures("own_database")

MACHINES, WORKERS, LIMIT = 20, 4, 5
MOST = 800  # seconds, of a machine on which everything takes ten times as long
# SQLite is for one host, and this machine may be a small one.
EACH = OPERATIONS if ON_POSTGRES else min(OPERATIONS, 3)


def test_fifty_clicks_at_once_are_sent_once(building_a: Lab, ana: User, capsys: pytest.CaptureFixture[str]):
    machine = building_a.assign(101, ana)
    errors = run_in_threads(*[lambda: operations.request(machine, "start", by=ana)] * 50)
    worker = Worker()
    worker.tick()
    worker.finish()
    with capsys.disabled():
        print(f"\n  50 clicks: {Operation.objects.count()} operation, {building_a.commands()} sent")
    assert (errors, Operation.objects.count(), building_a.commands()) == ([], 1, 1)


@pytest.fixture
def school() -> Iterator[pvesim.Cluster]:
    """Twenty machines on two nodes, as the time of day goes."""
    # The first tasks last, so that also a slow machine has all of them under way at once.
    slow = pvesim.Durations(start=10.0, stop=1.0)
    with pvesim.Simulator() as simulator:
        pve = simulator.add_cluster("school", nodes=("pve1", "pve2"), statd_interval=0.0, durations=slow)
        pve.add_user("portal@pve", password="unused", acl={"/": "Administrator"})
        for number in range(MACHINES):
            pve.add_guest(100 + number, node=f"pve{number % 2 + 1}")
        row = add_cluster(pve, "school")
        inventory.sync(row.config)
        ClusterSync.objects.update(node_limit=LIMIT, cluster_limit=2 * LIMIT)
        ClusterHealth.succeeded("school")
        yield pve


def ask_on(machine: VirtualMachine, by: User, left: Counter[int]) -> None:
    if left[machine.pk] and not Operation.objects.open().filter(vm=machine).exists():
        machine.refresh_from_db()  # after that, or it may be how it was before the last operation was done
        operations.request(machine, "stop" if machine.status == "running" else "start", by=by)
        left[machine.pk] -= 1


def most_at_once(pve: pvesim.Cluster) -> dict[str, int]:
    """By node, from when each task was begun and ended."""
    most, now = Counter[str](), Counter[str]()
    moments = [(task.starttime, 1, task.node) for task in pve.tasks]
    moments += [(task.endtime, -1, task.node) for task in pve.tasks if task.endtime]
    for _, change, node in sorted(moments):
        now[node] += change
        most[node] = max(most[node], now[node])
    return dict(most)


@pytest.mark.timeout(MOST + 50)
def test_the_limits_hold_and_are_used(school: pvesim.Cluster, admin: User, capsys: pytest.CaptureFixture[str]):
    machines = list(VirtualMachine.objects.all())
    left = Counter({machine.pk: EACH for machine in machines})
    began = time.monotonic()
    with ExitStack() as running:
        for _ in range(WORKERS):
            read_line_with(running.enter_context(begun("manage.py", "worker")), "The worker is running")
        while left.total() or Operation.objects.open().exists():
            assert time.monotonic() - began < MOST
            if most_at_once(school) == {"pve1": LIMIT, "pve2": LIMIT}:
                school.durations = pvesim.Durations(start=1.0, stop=1.0)
            for machine in machines:
                ask_on(machine, admin, left)
            time.sleep(0.1)
    with capsys.disabled():
        figures = Counter(Operation.objects.values_list("state", flat=True))
        print(
            f"\n  {WORKERS} workers, {time.monotonic() - began:.0f} s: {dict(figures)}, at once {most_at_once(school)}"
        )
    assert set(Operation.objects.values_list("state", "outcome")) == {("done", "")}
    assert figures == {"done": MACHINES * EACH}
    assert school.count("POST", "/status/") == MACHINES * EACH
    assert most_at_once(school) == {"pve1": LIMIT, "pve2": LIMIT}
