"""What a cluster says when it passes for an older release."""

import pytest

from pvesim import Cluster, Simulator

from .conftest import Api, Clients


class Old:
    """A cluster of some release with one user who may do everything."""

    def __init__(self, sim: Simulator, clients: Clients, release: str) -> None:
        self.lab: Cluster = sim.add_cluster(f"old-{release}", nodes=("pve1",), statd_interval=0.0, release=release)
        self.lab.add_user("boss@pve", "boss-pw", acl={"/": "Administrator"})
        self.lab.add_guest(101, status="running", pool="labs", agent="alive", tags=["lab"])
        self.lab.add_guest(201, kind="lxc", status="running")
        token = self.lab.add_token("boss@pve", "all", privsep=False)
        self.api: Api = clients.make(self.lab, headers=token.headers)
        self.clients = clients

    def member(self, role: str) -> Api:
        self.lab.add_user("some@pve", "pw", acl={"/vms": role})
        return self.clients.make(self.lab, headers=self.lab.add_token("some@pve", "all", privsep=False).headers)


@pytest.fixture
def old(sim: Simulator, clients: Clients, request: pytest.FixtureRequest) -> Old:
    return Old(sim, clients, request.param)


only = pytest.mark.parametrize
seven, eight, nine = (only("old", [release], indirect=True) for release in ("7.4", "8.4", "9.2"))
every = only("old", ["7.4", "8.4", "9.2"], indirect=True)


@every
def test_the_version_names_the_release(old: Old) -> None:
    version = old.api.data("/version")
    assert version == old.lab.release.row
    assert old.lab.name.endswith(version["release"])
    assert old.api.data("/nodes/pve1/status")["pveversion"].startswith(f"pve-manager/{version['version']}/")


@only(
    ("old", "keys"), [("7.4", {"data"}), ("8.4", {"data", "message"}), ("9.2", {"data", "message"})], indirect=["old"]
)
def test_errors_speak_in_their_body_since_late_8(old: Old, keys: set[str]) -> None:
    assert set(old.api.get("/nodes/pve1/qemu/999/config").json()) == keys


@seven
def test_seven_finds_pools_by_path_only(old: Old) -> None:
    assert "poolid" in old.api.get("/pools", poolid="labs").json()["errors"]
    assert old.api.data("/pools/labs")["members"]


@eight
def test_eight_finds_pools_by_parameter(old: Old) -> None:
    assert old.api.data("/pools", poolid="labs")[0]["poolid"] == "labs"


@only(("old", "status"), [("7.4", 501), ("8.4", 200), ("9.2", 200)], indirect=["old"])
def test_containers_tell_their_addresses_since_8(old: Old, status: int) -> None:
    assert old.api.get("/nodes/pve1/lxc/201/interfaces").status_code == status


@only(("old", "status"), [("7.4", 400), ("8.4", 200), ("9.2", 200)], indirect=["old"])
def test_a_stop_overrules_since_8(old: Old, status: int) -> None:
    answer = old.api.post("/nodes/pve1/qemu/101/status/stop", **{"overrule-shutdown": 1})
    assert answer.status_code == status


@only(("old", "extra"), [("7.4", False), ("8.4", False), ("9.2", True)], indirect=["old"])
def test_host_memory_and_networks_came_with_9(old: Old, extra: bool) -> None:
    assert ("memhost" in old.api.row(101)) is extra
    assert ("memhost" in old.api.status(101)) is extra
    types = {row["type"] for row in old.api.data("/cluster/resources")}
    assert ("network" in types, "sdn" in types) == (extra, not extra)
    assert old.api.row(101)["tags"] == "lab"


@only(
    ("old", "role", "privilege"),
    [("7.4", "PVEVMUser", "VM.Monitor"), ("8.4", "PVEVMUser", "VM.Monitor"), ("9.2", "Seer", "VM.GuestAgent.Audit")],
    indirect=["old"],
)
def test_who_may_ask_the_agent(old: Old, role: str, privilege: str) -> None:
    old.lab.add_role("Seer", ["VM.Audit"])
    refused = old.member(role).get("/nodes/pve1/qemu/101/agent/network-get-interfaces")
    assert refused.status_code == 403
    assert refused.reason.startswith(f"Permission check failed (/vms/101, {privilege}")
    assert old.api.get("/nodes/pve1/qemu/101/agent/network-get-interfaces").status_code == 200


@nine
def test_nine_knows_no_monitor_privilege(old: Old) -> None:
    with pytest.raises(ValueError, match=r"VM\.Monitor"):
        old.lab.add_role("Old", ["VM.Monitor"])


@eight
def test_eight_knows_no_agent_privilege(old: Old) -> None:
    with pytest.raises(ValueError, match=r"VM\.GuestAgent\.Audit"):
        old.lab.add_role("New", ["VM.GuestAgent.Audit"])


@only(
    ("old", "reason"),
    [("7.4", "permission denied - invalid PVE ticket"), ("9.2", "Authentication failed!")],
    indirect=["old"],
)
def test_a_bad_ticket_was_called_otherwise(old: Old, clients: Clients, reason: str) -> None:
    answer = clients.make(old.lab, headers={"Cookie": "PVEAuthCookie=garbage"}).get("/version")
    assert (answer.status_code, answer.reason, answer.text) == (401, reason, "")


def test_there_is_no_release_six(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="no release '6'"):
        sim.add_cluster("old", release="6")
    assert sim.add_cluster("new", release="8").release.name == "8.4"
