"""What a genuine Proxmox VE 9.2.11 was seen to do: one test for each difference that was found."""

from __future__ import annotations

import threading

import pytest

from pvesim import Cluster, ManualClock, Simulator
from pvesim.api.dispatch import PMXCFS_DOWN
from tests.waits import wait_until

from .conftest import Api, Clients
from .console_helpers import WEB, ends, opened
from .vnc_client import Viewer, proxy

DB = "/nodes/pve1/qemu/102"


# --- rows of guests ---


def listed(api: Api, vmid: int, **query: object) -> dict[str, object]:
    [row] = [row for row in api.data("/nodes/pve1/qemu", **query) if row["vmid"] == vmid]
    return dict(row)


def test_a_stopped_machine_has_an_agent_and_no_traffic_of_disks(lab: Cluster, boss: Api) -> None:
    lab.guest(102).agent = "alive"
    row = boss.status(102)
    assert (row["agent"], row["cpu"], row["status"], row["qmpstatus"]) == (1, 0, "stopped", "stopped")
    assert isinstance(row["cpu"], int)
    assert not {"diskread", "diskwrite", "blockstat", "pid", "nics"} & row.keys()


def test_a_running_machine_has_pressure_and_blocks(boss: Api) -> None:
    row = boss.status(101)
    assert {f"pressure{what}{share}" for what in ("cpu", "io", "memory") for share in ("some", "full")} <= row.keys()
    assert row["blockstat"]["scsi0"]["rd_bytes"] == row["diskread"]


def test_the_list_of_a_node_has_no_traffic_of_disks(boss: Api) -> None:
    for vmid in (101, 102):
        assert not {"diskread", "diskwrite", "qmpstatus", "nics"} & listed(boss, vmid).keys()


def test_the_full_list_has_the_state_of_qemu(lab: Cluster, boss: Api) -> None:
    lab.guest(101).status = "paused"
    assert (listed(boss, 101)["status"], boss.row(101)["status"]) == ("running", "paused")
    full = listed(boss, 101, full=1)
    assert (full["status"], full["qmpstatus"]) == ("running", "paused")
    assert listed(boss, 102, full=1)["qmpstatus"] == "stopped"


def test_older_releases_know_no_pressure(sim: Simulator, clients: Clients) -> None:
    old = sim.add_cluster("old", release="8.4")
    old.add_user("boss@pve", "x", acl={"/": "Administrator"})
    old.add_guest(101, status="running")
    api = clients.make(old, headers=old.add_token("boss@pve", "t", privsep=False).headers)
    assert not [name for name in api.status(101) if name.startswith("pressure")]


# --- templates ---


def test_a_template_is_flagged_only_where_it_is_one(boss: Api) -> None:
    assert (boss.row(110)["template"], boss.row(102)["template"]) == (1, 0)
    assert listed(boss, 110)["template"] == 1
    assert "template" not in listed(boss, 102)
    assert boss.data("/nodes/pve1/qemu/110/config")["template"] == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/status/start", "you can't start a vm if it's a template"),
        ("/snapshot", "you can't take a snapshot if it's a template"),
    ],
)
def test_what_a_template_cannot_do_fails_in_its_task(boss: Api, clock: ManualClock, path: str, text: str) -> None:
    form = {"snapname": "first"} if path == "/snapshot" else {}
    upid = boss.start(f"/nodes/pve1/qemu/110{path}", **form)
    clock.advance(5)
    assert boss.task(upid)["exitstatus"] == text


# --- locks ---


def test_only_root_sets_a_lock(lab: Cluster, clients: Clients, boss: Api) -> None:
    answer = boss.call("PUT", f"{DB}/config", data={"lock": "backup"})
    assert (answer.status_code, answer.reason) == (500, "only root can set 'lock' config")
    lab.add_user("root@pam", "root-pw")
    root = logged_in(lab, clients, "root@pam", "root-pw")
    assert root.call("PUT", f"{DB}/config", data={"lock": "backup"}).status_code == 200
    assert (lab.guest(102).lock, boss.row(102)["lock"]) == ("backup", "backup")
    assert root.call("PUT", f"{DB}/config", data={"delete": "lock", "skiplock": 1}).status_code == 200
    assert lab.guest(102).lock is None


def logged_in(lab: Cluster, clients: Clients, user: str, password: str) -> Api:
    given = clients.make(lab).post("/access/ticket", username=user, password=password).json()["data"]
    cookie = f"PVEAuthCookie={given['ticket']}"
    return clients.make(lab, headers={"Cookie": cookie, "CSRFPreventionToken": given["CSRFPreventionToken"]})


@pytest.mark.parametrize(
    ("call", "form", "status"),
    [
        ("POST /status/start", {}, 200),
        ("POST /snapshot", {"snapname": "first"}, 200),
        ("DELETE ", {}, 200),
        ("PUT /config", {"onboot": 1}, 500),
        ("POST /status/start", {"skiplock": 1}, 400),
    ],
)
def test_what_a_lock_refuses_and_how(lab: Cluster, boss: Api, call: str, form: dict[str, object], status: int) -> None:
    """With 200 the task fails."""
    lab.guest(102).lock = "backup"
    method, _, path = call.partition(" ")
    answer = boss.call(method, DB + path, data=form)
    assert answer.status_code == status
    reason = answer.reason if status != 200 else boss.task(answer.json()["data"])["exitstatus"]
    assert reason == ("Parameter verification failed." if status == 400 else "VM is locked (backup)")


# --- errors ---


def test_the_whole_list_of_bad_parameters(boss: Api) -> None:
    form = {"vmid": 150, "memory": "lots", "cores": -1, "bogus": 1, "net0": "nonsense"}
    errors = boss.post("/nodes/pve1/qemu", **form).json()["errors"]
    models = (
        "e1000, e1000-82540em, e1000-82544gc, e1000-82545em, e1000e, i82551, i82557b, i82559er, ne2k_isa, ne2k_pci, "
        "pcnet, rtl8139, virtio, vmxnet3"
    )
    assert errors == {
        "memory": "invalid format - format error\nmemory.current: type check ('integer') failed - got 'lots'\n",
        "cores": "value must have a minimum value of 1",
        "bogus": "property is not defined in schema and the schema does not allow additional properties",
        "net0": "invalid format - format error\nnet0.model: value 'nonsense' does not have a value in the enumeration"
        f" '{models}'\n",
    }


@pytest.mark.parametrize("card", ["virtio=BC:24:11:00:00:01,bridge=vmbr0", "virtio,bridge=vmbr0", "model=e1000"])
def test_cards_are_taken(boss: Api, card: str) -> None:
    assert boss.call("PUT", f"{DB}/config", data={"net1": card}).status_code == 200


def test_a_token_on_the_login_is_told_in_two_lines(boss: Api) -> None:
    answer = boss.post("/access/ticket", username="boss@pve", password="boss-pw")
    assert answer.json()["message"].endswith("need proper ticket.\n)\n")


def test_the_resolver_may_be_away(lab: Cluster, boss: Api) -> None:
    text = "hostname lookup 'ghost' failed - failed to get address info for: ghost: "
    assert boss.get("/nodes/ghost/status").reason == f"{text}Name or service not known"
    lab.faults.resolver_down()
    assert boss.get("/nodes/ghost/status").reason == f"{text}Temporary failure in name resolution"


def test_groups_of_high_availability_became_rules(sim: Simulator, clients: Clients, boss: Api) -> None:
    assert boss.get("/cluster/ha/groups").reason == "cannot index groups: ha groups have been migrated to rules"
    assert boss.data("/cluster/ha/rules") == []
    old = sim.add_cluster("old", release="8.4")
    old.add_user("boss@pve", "x", acl={"/": "Administrator"})
    api = clients.make(old, headers=old.add_token("boss@pve", "t", privsep=False).headers)
    assert (api.data("/cluster/ha/groups"), api.get("/cluster/ha/rules").status_code) == ([], 501)


# --- logs of tasks ---


def test_a_long_log_comes_in_pages(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.tasks_talk(lines=120)
    upid = boss.start(f"{DB}/status/start")
    clock.advance(5)
    place = f"/nodes/pve1/tasks/{upid}/log"

    def page(**query: int) -> tuple[list[int], int]:
        answer = boss.get(place, **query).json()
        return [row["n"] for row in answer["data"]], answer["total"]

    assert page() == (list(range(1, 51)), 121)
    assert page(start=50) == (list(range(51, 101)), 121)
    assert page(start=100, limit=500) == (list(range(101, 122)), 121)
    assert page(start=121) == ([], 121)
    assert page(limit=0) == (list(range(1, 122)), 121)
    assert boss.data(place, start=120)[0]["t"] == "TASK OK"


# --- daemons and file systems ---


def test_without_pmxcfs_nothing_answers_and_nobody_logs_in(lab: Cluster, boss: Api, anonymous: Api) -> None:
    lab.faults.pmxcfs_down("pve1")
    login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw")
    for answer in (login, boss.get("/version"), boss.get("/cluster/resources"), anonymous.get("/access/domains")):
        assert (answer.status_code, answer.reason, answer.content) == (500, PMXCFS_DOWN, b"")
    lab.faults.undo()
    assert boss.get("/version").status_code == 200


def test_without_pmxcfs_answers_take_as_long_as_a_refusal(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.unauthorized_delay = 3.0
    lab.faults.pmxcfs_down("pve1")
    said: list[int] = []
    asking = threading.Thread(target=lambda: said.append(boss.get("/version").status_code))
    asking.start()
    wait_until(lambda: lab.count(path_regex="/version"))
    assert said == []
    clock.advance(3)
    asking.join(30)
    assert said == [500]


def test_a_frozen_daemon_does_what_it_had_read_when_it_thaws(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.daemon_frozen("pve1", 0.0)
    answer = boss.post(f"{DB}/status/start")
    assert (answer.status_code, answer.reason) == (596, "Connection timed out")
    assert boss.get("/version").status_code == 200
    assert list(lab.tasks) == []
    lab.faults.undo()
    clock.advance(2)
    assert [task.type for task in lab.tasks] == ["qmstart"]
    assert lab.guest(102).status == "running"


def test_a_client_that_has_left_changes_nothing_of_it(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.daemon_frozen("pve1", 30.0)
    with pytest.raises(OSError, match="timed out"):
        boss.call("POST", f"{DB}/status/start", timeout=0.2)
    boss.session.close()
    lab.faults.undo()
    clock.advance(2)
    assert lab.guest(102).status == "running"


def test_a_call_that_is_wrong_by_then_does_no_harm(lab: Cluster, boss: Api) -> None:
    lab.faults.daemon_frozen("pve1", 0.0)
    boss.post(f"{DB}/status/start")
    lab.remove_guest(102)
    lab.faults.undo()
    assert list(lab.tasks) == []


# --- consoles ---


def test_open_consoles_outlive_a_stopped_proxy(lab: Cluster, boss: Api) -> None:
    with opened(boss) as viewer:
        lab.faults.proxy_down("pve1")
        viewer.type("a")
        wait_until(lambda: lab.keys_typed(101) == "a")
        lab.faults.undo()
        viewer.type("b")
        wait_until(lambda: lab.keys_typed(101) == "ab")
        lab.faults.node_down("pve1")
        ends(viewer)


def test_consoles_end_with_the_node_although_its_proxy_was_stopped_before(lab: Cluster, boss: Api) -> None:
    with opened(boss) as viewer:
        lab.faults.proxy_down("pve1")
        lab.faults.node_down("pve1")
        ends(viewer)


def test_the_next_machine_with_the_number_has_a_console_of_its_own(lab: Cluster, boss: Api) -> None:
    """It runs at once, and nothing but its hardware ID tells them apart."""
    before = boss.data("/nodes/pve1/qemu/101/config")["smbios1"]
    with opened(boss) as viewer:
        lab.faults.vmid_reused(101, status="running")
        ends(viewer)
    assert boss.data("/nodes/pve1/qemu/101/config")["smbios1"] != before
    with Viewer(boss, WEB, proxy(boss, WEB)) as foreign:
        assert foreign.open()[2] == "QEMU (somebody-elses)"
