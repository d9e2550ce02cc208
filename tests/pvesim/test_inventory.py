from pvesim import Cluster, ManualClock, Simulator
from tests.pvesim.conftest import Api, Clients


def test_the_status_of_a_cluster(boss: Api) -> None:
    cluster, *nodes = boss.data("/cluster/status")
    assert (cluster["type"], cluster["name"], cluster["quorate"], cluster["nodes"]) == ("cluster", "lab-a", 1, 3)
    assert {node["name"]: node["local"] for node in nodes} == {"pve1": 1, "pve2": 0, "pve3": 0}


def test_each_node_is_local_to_itself(lab: Cluster, boss: Api) -> None:
    boss.url = lab.urls["pve2"]
    assert [row["name"] for row in boss.data("/cluster/status") if row.get("local")] == ["pve2"]


def test_a_standalone_node_is_no_cluster(sim: Simulator, clients: Clients) -> None:
    solo = sim.add_cluster("solo", nodes=("solo",), standalone=True)
    solo.add_user("a@pve", password="x", acl={"/": "Administrator"})
    api = clients.make(solo, headers=solo.add_token("a@pve", "t", privsep=False).headers)
    [node] = api.data("/cluster/status")
    assert (node["type"], node["name"], node["nodeid"]) == ("node", "solo", 0)


def test_resources_hold_every_type(boss: Api) -> None:
    types = {row["type"] for row in boss.data("/cluster/resources")}
    assert types == {"node", "qemu", "lxc", "storage", "pool", "network"}


def test_resources_of_one_type(boss: Api) -> None:
    assert {row["type"] for row in boss.data("/cluster/resources", type="vm")} == {"qemu", "lxc"}
    assert {row["type"] for row in boss.data("/cluster/resources", type="node")} == {"node"}


def test_the_row_of_a_guest(boss: Api) -> None:
    row = boss.row(101)
    assert (row["id"], row["name"], row["status"], row["node"]) == ("qemu/101", "web", "running", "pve1")
    assert (row["pool"], row["tags"], row["template"]) == ("labs", "lab;web", 0)
    assert row["uptime"] > 0


def test_a_stopped_guest_has_no_uptime_and_no_load(boss: Api) -> None:
    row = boss.row(102)
    assert (row["status"], row["uptime"], row["cpu"], row["mem"]) == ("stopped", 0, 0, 0)
    assert "tags" not in row


def test_tests_may_change_a_guest_at_any_time(lab: Cluster, boss: Api) -> None:
    guest = lab.guest(101)
    guest.name, guest.lock, guest.node, guest.status = "renamed", "backup", "pve3", "paused"
    row = boss.row(101)
    assert [row[key] for key in ("name", "lock", "node", "status")] == ["renamed", "backup", "pve3", "paused"]


def test_uptime_follows_the_clock(boss: Api, clock: ManualClock) -> None:
    clock.advance(90)
    assert boss.row(101)["uptime"] == 90


def test_nodes_have_numbers_only_for_auditors(boss: Api, pupil: Api) -> None:
    assert all(row["maxcpu"] > 0 and row["mem"] > 0 for row in boss.data("/nodes"))
    assert all("cpu" not in row and row["ssl_fingerprint"] for row in pupil.data("/nodes"))


def test_a_paused_guest_is_running_to_its_node(lab: Cluster, boss: Api) -> None:
    lab.guest(101).status = "paused"
    status = boss.status(101)
    assert (status["status"], status["qmpstatus"]) == ("running", "paused")
    assert boss.row(101)["status"] == "paused"


def test_a_guest_is_found_only_on_its_own_node(boss: Api) -> None:
    answer = boss.get("/nodes/pve3/qemu/101/status/current")
    assert answer.reason == "Configuration file 'nodes/pve3/qemu-server/101.conf' does not exist"


def test_a_container_is_no_machine(boss: Api) -> None:
    assert boss.status(201, "pve2", "lxc")["type"] == "lxc"
    assert boss.get("/nodes/pve2/qemu/201/status/current").status_code == 500


def test_an_unknown_node_does_not_resolve(boss: Api) -> None:
    answer = boss.get("/nodes/ghost/status")
    assert answer.status_code == 500
    assert answer.reason.startswith("hostname lookup 'ghost' failed")


def test_any_node_answers_for_the_others(lab: Cluster, boss: Api) -> None:
    boss.url = lab.urls["pve3"]
    assert boss.status(101)["name"] == "web"


def test_the_next_id_is_a_free_one_and_a_string(boss: Api) -> None:
    assert boss.data("/cluster/nextid") == "100"
    assert boss.data("/cluster/nextid", vmid=500) == "500"
    assert boss.get("/cluster/nextid", vmid=101).json()["errors"]["vmid"] == "VM 101 already exists"


def test_versions(boss: Api) -> None:
    assert boss.data("/version")["release"] == "9.2"
    assert boss.data("/nodes/pve2/version") == boss.data("/version")


def test_the_configuration_has_memory_as_text_and_cores_as_number(boss: Api) -> None:
    config = boss.data("/nodes/pve1/qemu/101/config")
    assert (config["name"], config["memory"], config["cores"]) == ("web", "1024", 1)
    assert len(config["digest"]) == 40


def test_pools_list_their_members(boss: Api, pupil: Api) -> None:
    assert boss.data("/pools") == [{"poolid": "labs"}]
    [pool] = boss.data("/pools", poolid="labs")
    assert {member["vmid"] for member in pool["members"]} == {101, 102}
    assert pupil.data("/pools") == []
    assert pupil.get("/pools/labs").status_code == 403


def test_resources_lag_behind_until_the_next_tick(sim: Simulator, clients: Clients, clock: ManualClock) -> None:
    slow = sim.add_cluster("slow", statd_interval=10.0)
    slow.add_user("a@pve", password="x", acl={"/": "Administrator"})
    api = clients.make(slow, headers=slow.add_token("a@pve", "t", privsep=False).headers)
    slow.add_guest(100, name="old", status="running")
    slow.guest(100).status = "stopped"
    slow.guest(100).name = "new"
    clock.advance(9)
    assert (api.row(100)["status"], api.row(100)["name"]) == ("running", "old")
    assert api.status(100)["status"] == "stopped"
    clock.advance(1)
    assert (api.row(100)["status"], api.row(100)["name"]) == ("stopped", "new")
