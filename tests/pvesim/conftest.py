from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pvesim import Cluster, Durations, ManualClock, Simulator
from tests.waits import TIMEOUT


class Api:
    """A client of one node, with the headers of one identity."""

    def __init__(self, url: str, ca: Path, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(ca)
        self.session.headers.update(headers or {})

    @property
    def header(self) -> str:
        return str(self.session.headers["Authorization"])

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        arguments = {"timeout": TIMEOUT, "allow_redirects": False, **arguments}
        return self.session.request(method, f"{self.url}/api2/json{path}", **arguments)

    def get(self, path: str, /, **query: Any) -> requests.Response:
        return self.call("GET", path, params=query)

    def post(self, path: str, /, **form: Any) -> requests.Response:
        return self.call("POST", path, data=form)

    def data(self, path: str, /, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.reason
        return answer.json()["data"]

    def start(self, path: str, /, **form: Any) -> str:
        answer = self.post(path, **form)
        assert answer.status_code == 200, answer.reason
        return str(answer.json()["data"])

    def task(self, upid: str) -> dict[str, Any]:
        return dict(self.data(f"/nodes/{upid.split(':')[1]}/tasks/{upid}/status"))

    def status(self, vmid: int, node: str = "pve1", kind: str = "qemu") -> dict[str, Any]:
        return dict(self.data(f"/nodes/{node}/{kind}/{vmid}/status/current"))

    def row(self, vmid: int) -> dict[str, Any]:
        [row] = [row for row in self.data("/cluster/resources", type="vm") if row["vmid"] == vmid]
        return dict(row)


class Clients:
    """Makes clients of a cluster and closes them in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Api] = []

    def make(self, cluster: Cluster, node: str | None = None, headers: dict[str, str] | None = None) -> Api:
        ca = self._folder / f"{cluster.name}.pem"
        ca.write_text(cluster.ca_pem)
        self._made.append(Api(cluster.urls[node or next(iter(cluster.nodes))], ca, headers))
        return self._made[-1]

    def close(self) -> None:
        for api in self._made:
            api.session.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def lab(sim: Simulator) -> Cluster:
    cluster = sim.add_cluster(
        "lab-a",
        nodes=("pve1", "pve2", "pve3"),
        statd_interval=0.0,
        durations=Durations(start=2.0, stop=1.0, shutdown=3.0),
    )
    cluster.add_user("boss@pve", password="boss-pw", acl={"/": "Administrator"})
    cluster.add_user("pupil@pve", password="pupil-pw", acl={"/vms/101": "PVEVMUser"})
    cluster.add_guest(101, name="web", status="running", pool="labs", tags=("lab", "web"))
    cluster.add_guest(102, name="db", pool="labs")
    cluster.add_guest(110, name="golden", template=True)
    cluster.add_guest(201, name="box", kind="lxc", node="pve2", status="running")
    return cluster


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    made = Clients(tmp_path)
    yield made
    made.close()


@pytest.fixture
def anonymous(lab: Cluster, clients: Clients) -> Api:
    return clients.make(lab)


@pytest.fixture
def boss(lab: Cluster, clients: Clients) -> Api:
    return clients.make(lab, headers=lab.add_token("boss@pve", "all", privsep=False).headers)


@pytest.fixture
def pupil(lab: Cluster, clients: Clients) -> Api:
    return clients.make(lab, headers=lab.add_token("pupil@pve", "all", privsep=False).headers)
