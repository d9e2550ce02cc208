"""A simulated cluster for each test, and a server for what no cluster would say."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.endpoints import endpoint_health
from clusters.proxmox.session_pool import session_pool
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster
from pvesim.simulator import Simulator
from tests.waits import TIMEOUT

from .rawserver import VERSION, RawServer

PASSWORD = "correct-horse-battery"
NAMES = (f"lab-{number}" for number in itertools.count(1))


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """Every test begins without connections, logins and grudges of others."""
    yield
    session_pool.forget()
    endpoint_health.clear()


@pytest.fixture(scope="session")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(clock=clock, seed=1) as simulator:
        yield simulator


@pytest.fixture
def lab(sim: Simulator) -> Iterator[Cluster]:
    """Two nodes; 101 runs on pve1, 102 is stopped on pve2, 200 is a container."""
    name = next(NAMES)
    cluster = sim.add_cluster(name, nodes=("pve1", "pve2"), statd_interval=0.0)
    cluster.add_user("portal@pve", password=PASSWORD, acl={"/": "Administrator"})
    cluster.add_guest(101, name="web", node="pve1", status="running", pool="labs", tags=("lab", "web"))
    cluster.add_guest(102, name="db", node="pve2")
    cluster.add_guest(200, name="box", node="pve1", kind="lxc")
    yield cluster
    sim.remove_cluster(name)


@pytest.fixture
def token(lab: Cluster) -> Any:
    return lab.add_token("portal@pve", "labs", privsep=False)


@pytest.fixture
def config(lab: Cluster, token: Any) -> ClusterConfig:
    """By token, trusted by its pinned certificate."""
    return ClusterConfig(
        cluster_id="lab-a",
        name="Lab A",
        host=lab.host,
        port=lab.port,
        user="portal@pve",
        token_id=token.full_id,
        token_secret=Secret(token.secret),
        fingerprint=lab.fingerprint("pve1"),
    )


@pytest.fixture
def pve(config: ClusterConfig) -> Iterator[proxmox.Client]:
    with proxmox.connect(config, deadline=TIMEOUT) as client:
        yield client


@pytest.fixture
def by_password(config: ClusterConfig) -> ClusterConfig:
    """The same by user and password."""
    return replace(config, token_id="", token_secret=None, password=Secret(PASSWORD))


@pytest.fixture
def ca_file(lab: Cluster, tmp_path: Any) -> str:
    """For requests that a test makes itself."""
    path = tmp_path / "ca.pem"
    path.write_text(lab.ca_pem)
    return str(path)


@pytest.fixture
def raw() -> Iterator[Callable[..., RawServer]]:
    servers: list[RawServer] = []

    def start(script: Callable[[RawServer, socket.socket], None], *, tls: bool = True) -> RawServer:
        server = RawServer(lambda conn: script(servers[-1], conn), tls=tls)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def brief(raw: Callable[..., RawServer]) -> float:
    """A deadline that is over soon, and by far enough for a call on this machine, as busy as it is: measured now."""

    def answer(server: RawServer, conn: socket.socket) -> None:
        server.read_head(conn)
        conn.sendall(VERSION)

    began = time.monotonic()
    with proxmox.connect(raw(answer).config, deadline=TIMEOUT) as client:
        client.version()
    return max(0.4, 20 * (time.monotonic() - began))
