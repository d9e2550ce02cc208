import re

from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api, Clients

WEB, DB = "/nodes/pve1/qemu/101/status", "/nodes/pve1/qemu/102/status"


def path(upid: str, tail: str = "", node: str = "pve1") -> str:
    return f"/nodes/{node}/tasks/{upid}{tail}"


def test_a_upid_has_nine_fields_and_names_the_token(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{DB}/stop")
    assert re.fullmatch(r"UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:qmstop:102:boss@pve!all:", upid)
    assert int(upid.split(":")[4], 16) == int(clock.now())


def test_the_status_repeats_the_upid(boss: Api) -> None:
    upid = boss.start(f"{DB}/stop")
    status = boss.task(upid)
    fields = upid.split(":")
    assert (status["upid"], status["type"], status["id"]) == (upid, "qmstop", "102")
    assert (status["pid"], status["pstart"]) == (int(fields[2], 16), int(fields[3], 16))
    assert (status["user"], status["tokenid"]) == ("boss@pve", "all")


def test_a_running_task_has_no_exit_status(boss: Api) -> None:
    assert "exitstatus" not in boss.task(boss.start(f"{DB}/start"))


def test_a_log_ends_with_the_result(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{DB}/start")
    assert boss.data(path(upid, "/log")) == [{"n": 1, "t": "no content"}]
    clock.advance(2)
    answer = boss.get(path(upid, "/log")).json()
    assert answer == {"data": [{"n": 1, "t": "TASK OK"}], "total": 1}


def test_the_log_of_a_failure_tells_the_error(boss: Api) -> None:
    upid = boss.start(f"{WEB}/start")
    assert boss.data(path(upid, "/log"))[-1]["t"] == "TASK ERROR: VM 101 already running"


def test_a_malformed_upid_is_a_bad_parameter(boss: Api) -> None:
    answer = boss.get(path("UPID:nonsense", "/status"))
    assert (answer.status_code, answer.json()["errors"]["upid"]) == (400, "unable to parse worker upid")


def test_an_unknown_task_and_one_of_another_node_are_no_tasks(boss: Api) -> None:
    unknown = "UPID:pve1:00000001:00000001:6B000000:qmstart:101:boss@pve:"
    elsewhere = boss.start(f"{DB}/stop")
    for place in (path(unknown, "/status"), path(elsewhere, "/status", node="pve2")):
        assert boss.get(place).json()["errors"]["upid"] == "no such task"


def test_a_foreign_task_needs_audit_even_on_the_own_guest(boss: Api, pupil: Api) -> None:
    upid = boss.start(f"{WEB}/start")
    for tail in ("/status", "/log"):
        assert pupil.get(path(upid, tail)).reason == "Permission check failed (/nodes/pve1, Sys.Audit)"


def test_a_user_may_read_the_tasks_of_the_own_tokens_but_a_token_not_those_of_another(
    lab: Cluster, clients: Clients, pupil: Api
) -> None:
    upid = pupil.start(f"{WEB}/reset")
    sibling = clients.make(lab, headers=lab.add_token("pupil@pve", "two", privsep=False).headers)
    assert sibling.get(path(upid, "/status")).status_code == 403
    login = sibling.session
    login.headers.pop("Authorization")
    ticket = sibling.post("/access/ticket", username="pupil@pve", password="pupil-pw").json()["data"]["ticket"]
    login.headers["Cookie"] = f"PVEAuthCookie={ticket}"
    assert sibling.task(upid)["user"] == "pupil@pve"


def test_the_list_of_a_node_has_the_result_as_status(boss: Api) -> None:
    upid = boss.start(f"{WEB}/start")
    [row] = boss.data("/nodes/pve1/tasks", vmid=101)
    assert (row["upid"], row["status"]) == (upid, "VM 101 already running")


def test_the_list_of_a_node_shows_the_newest_first_and_counts(boss: Api, clock: ManualClock) -> None:
    for _ in range(3):
        latest = boss.start(f"{DB}/stop")
        clock.advance(1)
    answer = boss.get("/nodes/pve1/tasks", limit=2).json()
    assert (answer["data"][0]["upid"], len(answer["data"]), answer["total"]) == (latest, 2, 3)


def test_running_tasks_are_listed_as_active(boss: Api) -> None:
    upid = boss.start(f"{DB}/start")
    assert boss.data("/nodes/pve1/tasks") == []
    [row] = boss.data("/nodes/pve1/tasks", source="active")
    assert (row["upid"], row["status"]) == (upid, "RUNNING")


def test_failed_tasks_can_be_asked_for(boss: Api) -> None:
    boss.start(f"{DB}/stop")
    failed = boss.start(f"{WEB}/start")
    assert [row["upid"] for row in boss.data("/nodes/pve1/tasks", errors=1)] == [failed]


def test_a_restricted_user_lists_only_own_tasks(boss: Api, pupil: Api) -> None:
    boss.start(f"{DB}/stop")
    own = pupil.start(f"{WEB}/start")
    assert [row["upid"] for row in pupil.data("/nodes/pve1/tasks")] == [own]


def test_the_cluster_lists_tasks_but_not_to_a_token_without_audit(boss: Api, pupil: Api) -> None:
    upid = pupil.start(f"{WEB}/start")
    assert upid in {row["upid"] for row in boss.data("/cluster/tasks")}
    assert pupil.data("/cluster/tasks") == []


def test_an_aborted_task_has_no_effect_and_releases_the_guest(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{DB}/start")
    assert boss.call("DELETE", path(upid)).status_code == 200
    assert boss.task(upid)["exitstatus"] == "unexpected status"
    again = boss.start(f"{DB}/start")
    clock.advance(2)
    assert boss.task(again)["exitstatus"] == "OK"


def test_a_stranger_does_not_abort(boss: Api, pupil: Api) -> None:
    upid = boss.start(f"{DB}/start")
    assert pupil.call("DELETE", path(upid)).reason == "Permission check failed (/nodes/pve1, Sys.Modify)"


def test_a_forgotten_task_is_gone(lab: Cluster, boss: Api) -> None:
    upid = boss.start(f"{DB}/start")
    lab.tasks.forget(upid)
    assert boss.get(path(upid, "/status")).status_code == 400
