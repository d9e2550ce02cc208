"""Clusters without quorum, clusters in two halves, and daemons which are down."""

import pytest

from pvesim import Cluster, Durations, ManualClock
from pvesim.nodes import GatewayError
from tests.waits import TIMEOUT

from .conftest import Api, Clients

VM = "/nodes/pve1/qemu/102"


@pytest.fixture
def alone(lab: Cluster) -> Cluster:
    lab.lose_quorum()
    return lab


def test_nothing_is_quorate(alone: Cluster, boss: Api) -> None:
    rows = {row["name"]: row for row in boss.data("/cluster/status")}
    assert rows["lab-a"]["quorate"] == 0
    assert [rows[name]["online"] for name in ("pve1", "pve2", "pve3")] == [1, 0, 0]


def test_a_quorum_device_votes_for_one_part(lab: Cluster, boss: Api) -> None:
    del lab.nodes["pve3"]
    lab.has_quorum_device = True
    for names in ({"pve1"}, {"pve2"}):
        lab.disconnect_node(*({"pve1", "pve2"} - names))
        assert [lab.is_quorate(lab.nodes[name]) for name in ("pve1", "pve2")] == [name in names for name in lab.nodes]
        lab.reconnect_node(*({"pve1", "pve2"} - names))
    lab.split({"pve1"}, {"pve2"})
    assert [lab.is_quorate(lab.nodes[name]) for name in ("pve1", "pve2")] == [True, False]
    lab.lose_quorum()
    assert not lab.is_quorate(lab.nodes["pve1"])


def test_what_writes_is_refused(alone: Cluster, boss: Api) -> None:
    for path in ("status/start", "clone?newid=500"):
        answer = boss.post(f"{VM}/{path}")
        assert (answer.status_code, answer.reason) == (500, "cluster not ready - no quorum?")
    change = boss.call("PUT", f"{VM}/config", data={"description": "x"})
    assert change.status_code == 500
    assert change.reason.startswith("unable to open file '/etc/pve/nodes/pve1/qemu-server/102.conf.tmp.")
    assert alone.guest(102).description == ""


def test_snapshots_fail_in_their_task(alone: Cluster, boss: Api) -> None:
    upid = boss.start(f"{VM}/snapshot", snapname="s1")
    assert boss.task(upid)["exitstatus"].endswith("Permission denied")
    assert not alone.guest(102).snapshots


def test_reads_logins_and_stops_go_on(alone: Cluster, boss: Api, anonymous: Api, clock: ManualClock) -> None:
    assert boss.data("/nodes/pve1/qemu")
    login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw")
    assert login.status_code == 200
    upid = boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(1)
    assert boss.task(upid)["exitstatus"] == "OK"


def test_accounts_are_written_only_with_quorum(lab: Cluster, boss: Api) -> None:
    new = {"userid": "new@pve", "password": "pw"}
    lab.lose_quorum()
    refused = boss.post("/access/users", **new)
    assert refused.reason == "create user failed: cfs-lock 'file-user_cfg' error: no quorum!"
    lab.heal()
    assert boss.post("/access/users", **new).status_code == 200
    assert "new@pve" in {row["userid"] for row in boss.data("/access/users")}
    assert boss.call("PUT", "/access/acl", data={"path": "/vms", "roles": "PVEAuditor", "users": "new@pve"}).ok
    assert ("/vms", "PVEAuditor", "new@pve") in {
        (row["path"], row["roleid"], row["ugid"]) for row in boss.data("/access/acl")
    }
    assert boss.call("PUT", "/access/users/new@pve", data={"enable": 0}).ok
    assert not lab.user("new@pve").enabled
    assert boss.call("DELETE", "/access/users/new@pve").ok


def test_two_halves_tell_different_truths(lab: Cluster, boss: Api, clients: Clients, clock: ManualClock) -> None:
    lab.split({"pve1"}, {"pve2", "pve3"})
    other = clients.make(lab, "pve2", {"Authorization": boss.header})
    lab.guest(201).name = "renamed"

    def truth(api: Api) -> tuple[int, str]:
        return api.data("/cluster/status")[0]["quorate"], str(api.row(201).get("name"))

    assert (truth(boss), truth(other)) == ((0, "box"), (1, "renamed"))
    assert (boss.row(101)["status"], other.row(101)["status"]) == ("running", "running")
    clock.advance(301)
    assert (boss.row(201)["status"], other.row(201)["status"]) == ("unknown", "running")
    assert (boss.row(101)["status"], other.row(101)["status"]) == ("running", "unknown")
    lab.heal()
    assert truth(boss) == truth(other) == (1, "renamed")


def test_without_its_daemon_a_node_does_only_the_unprotected(lab: Cluster, boss: Api, anonymous: Api) -> None:
    lab.set_daemon_error("pve1", GatewayError(595, "Connection refused"))
    assert boss.get("/version").status_code == 200
    assert boss.get("/cluster/resources").status_code == 200
    assert (boss.get("/nodes/pve1/qemu").status_code, boss.get("/nodes/pve2/qemu").status_code) == (595, 200)
    login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw")
    assert (login.status_code, login.reason, login.text) == (595, "Connection refused", "")
    lab.set_daemon_error("pve1", None)
    assert boss.get("/nodes/pve1/qemu").status_code == 200


def test_nodes_which_do_not_trust_each_other(lab: Cluster, boss: Api) -> None:
    lab.set_gateway_error("pve2", GatewayError(596, "tls_process_server_certificate: certificate verify failed"))
    answer = boss.get("/nodes/pve2/qemu")
    assert (answer.status_code, answer.text) == (596, "")
    assert answer.reason.endswith("certificate verify failed")
    assert {row["status"] for row in boss.data("/nodes")} == {"online"}


def test_an_aborted_task_takes_its_time(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.durations = Durations(abort=5.0)
    upid = boss.start("/nodes/pve1/qemu/101/status/shutdown")
    with pytest.raises(OSError, match="timed out"):
        boss.call("DELETE", f"/nodes/pve1/tasks/{upid}", timeout=(TIMEOUT, 0.2))
    assert boss.task(upid)["exitstatus"] == "unexpected status"
