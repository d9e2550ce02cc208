"""Two simulated clusters, the same numbers on both, and their rows in the test's database."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import pvesim
from accounts.models import User
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.models import Cluster
from tests import first_sync
from vms import inventory, operations
from vms import preparation as preparing
from vms.models import Assignment, Operation, Preparation, VirtualMachine

NUMBERS = itertools.count(1)
POWER = "/status/(start|stop|shutdown|reboot|reset|suspend|resume)$"


@dataclass
class Lab:
    """A simulated cluster, and the row by which the portal knows it."""

    pve: pvesim.Cluster
    row: Cluster
    clock: pvesim.ManualClock

    @property
    def config(self) -> ClusterConfig:
        return Cluster.objects.get(pk=self.row.pk).config

    def sync(self) -> inventory.SyncResult:
        return inventory.sync(self.config)

    def sync_first(self, kind: str) -> None:
        """The same as `sync()`, which is done once for all labs of a kind. No request is counted."""
        if not first_sync.write_again(self.row, kind):
            self.sync()
            first_sync.keep(self.row, kind)
        self.pve.clear_requests()

    def machine(self, vmid: int) -> VirtualMachine:
        return VirtualMachine.objects.select_related("cluster").get(cluster=self.row, vmid=vmid)

    def assign(self, vmid: int, user: User) -> VirtualMachine:
        machine = self.machine(vmid)
        Assignment.objects.create(vm=machine, user=user)
        return machine

    def commands(self, path: str = POWER) -> int:
        """How many power actions arrived."""
        return self.pve.count("POST", path)

    def arrival(self, method: str, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """Set when a request of this method has arrived."""
        arrived, add = threading.Event(), self.pve.request_log.add

        def note(request: Any) -> None:
            add(request)
            if request.method == method:
                arrived.set()

        monkeypatch.setattr(self.pve.request_log, "add", note)
        return arrived


def add_cluster(pve: pvesim.Cluster, cluster_id: str, **fields: Any) -> Cluster:
    """Save a simulated cluster as an administrator would: by token, trusted by its pinned certificate."""
    token = pve.add_token("portal@pve", "labs", privsep=False)
    values = {
        "name": cluster_id.replace("-", " ").title(), "host": pve.host, "port": pve.port, "user": "portal@pve",
        "token_id": token.full_id, "token_secret": token.secret, "fingerprint": pve.fingerprint(),
    }  # fmt: skip
    return Cluster.objects.create(cluster_id=cluster_id, **values | fields)


@pytest.fixture(scope="session")
def clock() -> pvesim.ManualClock:
    return pvesim.ManualClock()


@pytest.fixture(scope="session")
def sim(clock: pvesim.ManualClock) -> Iterator[pvesim.Simulator]:
    with pvesim.Simulator(clock=clock, seed=1) as simulator:
        yield simulator


def simulated(sim: pvesim.Simulator, *, nodes: tuple[str, ...] = ("pve1",)) -> pvesim.Cluster:
    pve = sim.add_cluster(f"lab-{next(NUMBERS)}", nodes=nodes, statd_interval=0.0)
    pve.add_user("portal@pve", password="unused", acl={"/": "Administrator"})
    return pve


@pytest.fixture
def building_a(sim: pvesim.Simulator, clock: pvesim.ManualClock) -> Iterator[Lab]:
    """The default cluster. 101 is stopped on pve1, 102 runs on pve2, 103 is a stopped container, 104 is stopped."""
    pve = simulated(sim, nodes=("pve1", "pve2"))
    pve.add_guest(101, name="net-01", node="pve1")
    pve.add_guest(102, name="net-02", node="pve2", status="running", tags=("lab", "net"))
    pve.add_guest(103, name="net-03", node="pve1", kind="lxc")
    pve.add_guest(104, name="net-04", node="pve2")
    lab = Lab(pve, add_cluster(pve, "building-a", is_default=True), clock)
    lab.sync_first("building_a")
    yield lab
    sim.remove_cluster(pve.name)


@pytest.fixture
def building_b(sim: pvesim.Simulator, clock: pvesim.ManualClock) -> Iterator[Lab]:
    """Another cluster with machines of the same numbers: 101 is stopped, 102 runs."""
    pve = simulated(sim)
    pve.add_guest(101, name="db-01")
    pve.add_guest(102, name="db-02", status="running")
    lab = Lab(pve, add_cluster(pve, "building-b"), clock)
    lab.sync_first("building_b")
    yield lab
    sim.remove_cluster(pve.name)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway waits for two seconds instead of ten: what answers at all does so in time, also on a busy machine."""
    monkeypatch.setitem(proxmox.connect.__wrapped__.__kwdefaults__, "deadline", 2.0)


def admit() -> None:
    """Let through what may be under way."""
    for cluster_id in set(Operation.objects.waiting().values_list("cluster_id", flat=True)):
        operations.admit(cluster_id)


def run_operations() -> None:
    """What a worker does with operations in one turn, in this thread."""
    admit()
    for operation in Operation.objects.free(timezone.now()):
        operations.take_step(operation)


def run_preparations(lab: Lab) -> None:
    """What workers do with machines that were freed, to the end of it."""
    for _ in range(12):
        open_now = Preparation.objects.open().select_related("assignment__vm__cluster", "asked_by", "operation")
        if not open_now:
            break
        for preparation in open_now:
            preparing.take_step(preparation)
        run_operations()
        lab.clock.advance(10)
        run_operations()


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


def writes(queries: CaptureQueriesContext) -> list[str]:
    """The statements that changed something."""
    return [q["sql"] for q in queries if q["sql"].split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}]


def queries() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)
