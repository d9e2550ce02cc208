import pytest

from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api

WEB, DB = "/nodes/pve1/qemu/101", "/nodes/pve1/qemu/102"


def finish(api: Api, clock: ManualClock, upid: str) -> str:
    clock.advance(5)
    return str(api.task(upid)["exitstatus"])


def take(api: Api, clock: ManualClock, name: str, place: str = DB, **form: object) -> str:
    return finish(api, clock, api.start(f"{place}/snapshot", snapname=name, **form))


def roll_back(api: Api, clock: ManualClock, name: str, place: str = DB, **form: object) -> str:
    return finish(api, clock, api.start(f"{place}/snapshot/{name}/rollback", **form))


def names(api: Api, place: str = DB) -> list[str]:
    return [row["name"] for row in api.data(f"{place}/snapshot")]


def test_a_guest_without_snapshots_has_only_the_present(boss: Api) -> None:
    [row] = boss.data(f"{WEB}/snapshot")
    assert (row["name"], row["running"]) == ("current", 1)


@pytest.mark.parametrize("state", ["prepare", "delete"])
def test_one_that_is_half_there_is_deleted_only_by_force(
    lab: Cluster, boss: Api, clock: ManualClock, state: str
) -> None:
    take(boss, clock, "half")
    lab.faults.snapshot_half_done(102, "half", state)
    assert boss.data(f"{DB}/snapshot")[0]["snapstate"] == state
    assert roll_back(boss, clock, "half") == f"unable to rollback to incomplete snapshot (snapstate = {state})"
    assert "could not find" in finish(boss, clock, boss.call("DELETE", f"{DB}/snapshot/half").json()["data"])
    assert finish(boss, clock, boss.call("DELETE", f"{DB}/snapshot/half?force=1").json()["data"]) == "OK"
    assert names(boss) == ["current"]


def test_snapshots_form_a_chain(boss: Api, clock: ManualClock) -> None:
    assert take(boss, clock, "first", description="clean") == "OK"
    take(boss, clock, "second")
    rows = {row["name"]: row for row in boss.data(f"{DB}/snapshot")}
    assert rows["first"]["description"] == "clean"
    assert (rows["second"]["parent"], rows["current"]["parent"]) == ("first", "second")


def test_a_guest_is_locked_while_its_snapshot_is_taken(boss: Api) -> None:
    upid = boss.start(f"{DB}/snapshot", snapname="first")
    assert boss.row(102)["lock"] == "snapshot"
    assert upid.split(":")[5] == "qmsnapshot"


def test_a_used_name_fails_in_the_task(boss: Api, clock: ManualClock) -> None:
    take(boss, clock, "first")
    assert take(boss, clock, "first") == "snapshot name 'first' already used"


def test_an_unknown_name_fails_in_the_task(boss: Api, clock: ManualClock) -> None:
    assert roll_back(boss, clock, "nope") == "snapshot 'nope' does not exist"
    upid = boss.call("DELETE", f"{DB}/snapshot/nope").json()["data"]
    assert finish(boss, clock, upid) == "snapshot 'nope' does not exist"


@pytest.mark.parametrize("name", ["x", "1bad", "with space", "a" * 41])
def test_a_bad_name_is_a_bad_parameter(boss: Api, name: str) -> None:
    assert "snapname" in boss.post(f"{DB}/snapshot", snapname=name).json()["errors"]


def test_the_name_of_the_present_is_reserved(boss: Api) -> None:
    assert "reserved" in boss.post(f"{DB}/snapshot", snapname="current").reason


def test_a_rollback_restores_all_but_the_notes(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    take(boss, clock, "first")
    lab.guest(102).name, lab.guest(102).maxcpu, lab.guest(102).description = "other", 8, "kept"
    assert roll_back(boss, clock, "first") == "OK"
    guest = lab.guest(102)
    assert (guest.name, guest.maxcpu, guest.description) == ("db", 1, "kept")


@pytest.mark.parametrize(("form", "status"), [({}, "stopped"), ({"start": 1}, "running")])
def test_a_rollback_without_memory_stops_the_machine(
    lab: Cluster, boss: Api, clock: ManualClock, form: dict[str, int], status: str
) -> None:
    take(boss, clock, "first", WEB)
    roll_back(boss, clock, "first", WEB, **form)
    assert lab.guest(101).status == status


def test_a_snapshot_with_memory_goes_on_running(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    take(boss, clock, "first", WEB, vmstate=1)
    roll_back(boss, clock, "first", WEB)
    assert lab.guest(101).status == "running"


def test_a_deleted_snapshot_leaves_the_chain_whole(boss: Api, clock: ManualClock) -> None:
    for name in ("first", "second", "third"):
        take(boss, clock, name)
    finish(boss, clock, boss.call("DELETE", f"{DB}/snapshot/second").json()["data"])
    parents = {row["name"]: row.get("parent") for row in boss.data(f"{DB}/snapshot")}
    assert parents == {"first": None, "third": "first", "current": "third"}


def test_the_configuration_of_a_snapshot_can_be_read(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    take(boss, clock, "first", description="then")
    lab.guest(102).name = "other"
    for answer in (boss.data(f"{DB}/snapshot/first/config"), boss.data(f"{DB}/config", snapshot="first")):
        assert (answer["name"], answer["description"]) == ("db", "then")


def test_snapshots_need_their_privilege(pupil: Api) -> None:
    assert "VM.Snapshot" in pupil.post(f"{WEB}/snapshot", snapname="mine").reason
    assert names(pupil, WEB) == ["current"]


def type_line(lab: Cluster, vmid: int, line: str) -> None:
    for sign in line:
        lab.guest(vmid).screen.press(ord(sign), down=True)
    lab.guest(vmid).screen.press(0xFF0D, down=True)


def test_what_is_typed_up_to_return_is_on_the_disk_and_shown_at_the_next_start(lab: Cluster) -> None:
    guest = lab.guest(101)
    type_line(lab, 101, "mine")
    guest.reset()
    assert (guest.files, guest.screen.text) == (("mine",), "mine\n")


@pytest.mark.parametrize("memory", [0, 1])
def test_a_rollback_brings_back_disk_and_screen(lab: Cluster, boss: Api, clock: ManualClock, memory: int) -> None:
    take(boss, clock, "first", WEB, vmstate=memory)
    type_line(lab, 101, "secret")
    assert roll_back(boss, clock, "first", WEB) == "OK"
    assert (lab.guest(101).files, lab.guest(101).screen.text) == ((), "")


def test_a_storage_may_go_back_to_the_newest_snapshot_alone(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(102).newest_only = True
    for name in ("first", "second"):
        take(boss, clock, name)
    assert "'first' is not most recent snapshot" in roll_back(boss, clock, "first")
    finish(boss, clock, boss.call("DELETE", f"{DB}/snapshot/second").json()["data"])
    assert roll_back(boss, clock, "first") == "OK"
