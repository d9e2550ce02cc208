import socket
from pathlib import Path

import pytest
import requests

from pvesim import Cluster, ManualClock, Simulator
from tests.pvesim.conftest import Api, Clients
from tests.waits import TIMEOUT


def test_a_stopped_node_refuses_connections(lab: Cluster, boss: Api) -> None:
    lab.stop_node("pve1")
    with pytest.raises(requests.ConnectionError, match="refused"):
        boss.get("/version")


def test_the_others_cannot_reach_a_stopped_node(lab: Cluster, boss: Api) -> None:
    lab.stop_node("pve2")
    answer = boss.get("/nodes/pve2/lxc")
    assert (answer.status_code, answer.reason, answer.text) == (595, "No route to host", "")
    assert answer.headers["Connection"] == "close"
    assert "Content-Type" not in answer.headers


def test_a_stopped_node_is_offline_to_the_others(lab: Cluster, boss: Api) -> None:
    lab.stop_node("pve2")
    nodes = {row["node"]: row for row in boss.data("/nodes")}
    assert (nodes["pve2"]["status"], nodes["pve1"]["status"]) == ("offline", "online")
    assert "cpu" not in nodes["pve2"]
    online = {row["name"]: row["online"] for row in boss.data("/cluster/status")[1:]}
    assert online == {"pve1": 1, "pve2": 0, "pve3": 1}


def test_guests_of_a_lost_node_keep_their_figures_for_five_minutes(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.stop_node("pve2")
    clock.advance(300)
    assert (boss.row(201)["status"], boss.row(201)["name"]) == ("running", "box")
    clock.advance(1)
    assert boss.row(201)["status"] == "unknown"
    assert "name" not in boss.row(201)


def test_a_node_comes_back_on_the_same_port(lab: Cluster, boss: Api) -> None:
    port = lab.ports["pve2"]
    lab.stop_node("pve2")
    lab.start_node("pve2")
    assert lab.ports["pve2"] == port
    boss.url = lab.urls["pve2"]
    assert boss.status(201, "pve2", "lxc")["status"] == "running"


def test_a_whole_cluster_stops_and_comes_back(lab: Cluster, boss: Api) -> None:
    ports = lab.ports
    lab.stop()
    with pytest.raises(requests.ConnectionError):
        boss.get("/version")
    lab.start()
    assert boss.get("/version").status_code == 200
    assert lab.ports == ports


def test_nobody_else_gets_the_port_of_a_stopped_node(lab: Cluster) -> None:
    lab.stop_node("pve1")
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((lab.host, lab.port))


def test_a_lost_node_is_alone_but_answers(lab: Cluster, boss: Api) -> None:
    lab.disconnect_node("pve2", reason="Connection timed out")
    assert boss.get("/nodes/pve2/lxc").reason == "Connection timed out"
    boss.url = lab.urls["pve2"]
    assert boss.data("/cluster/status")[0]["quorate"] == 0
    assert boss.get("/nodes/pve1/qemu").status_code == 595


def test_waiting_for_a_lost_node_takes_time_by_the_clock(lab: Cluster, boss: Api) -> None:
    lab.disconnect_node("pve2", timeout=30.0)
    with pytest.raises(requests.Timeout):
        boss.call("GET", "/nodes/pve2/lxc", timeout=(TIMEOUT, 0.1))


def test_clusters_share_nothing(sim: Simulator, lab: Cluster, clients: Clients) -> None:
    other = sim.add_cluster("lab-b", nodes=("pve1",))
    stranger = clients.make(other, headers=lab.add_token("boss@pve", "x", privsep=False).headers)
    assert stranger.get("/version").status_code == 401


def test_a_simulator_can_be_filled_before_it_starts(clients: Clients) -> None:
    simulator = Simulator()
    cluster = simulator.add_cluster("early")
    simulator.start()
    assert clients.make(cluster).get("/version").status_code == 401
    simulator.stop()
    with pytest.raises(requests.ConnectionError):
        clients.make(cluster).get("/version")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_removed_cluster_leaves_no_port_open():
    with Simulator() as simulator:
        simulator.add_cluster("first", nodes=("one", "two"))
        simulator.remove_cluster("first")
        before = open_files()
        for number in range(5):
            simulator.add_cluster(f"lab-{number}", nodes=("one", "two"))
            simulator.remove_cluster(f"lab-{number}")
        assert open_files() <= before
