"""High availability: requests are taken at once, and acted on later."""

import pytest

from pvesim import Cluster, ManualClock

from .conftest import Api

VM = "/nodes/pve1/qemu/101"


@pytest.fixture
def kept(lab: Cluster) -> Cluster:
    lab.guest(101).ha = "started"
    lab.add_guest(103, node="pve2", ha=True)
    return lab


def test_a_stop_is_done_before_the_guest_has_moved(kept: Cluster, boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{VM}/status/stop")
    assert upid.split(":")[5] == "hastop"
    clock.advance(0.5)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert (boss.status(101)["status"], boss.row(101)["hastate"]) == ("running", "request_stop")
    clock.advance(5 + 3)
    assert (boss.status(101)["status"], boss.row(101)["hastate"]) == ("stopped", "stopped")


def test_a_start_goes_through_the_manager_too(kept: Cluster, boss: Api, clock: ManualClock) -> None:
    assert boss.status(103, "pve2")["ha"] == {"managed": 1, "state": "stopped"}
    upid = boss.start("/nodes/pve2/qemu/103/status/start")
    assert upid.split(":")[5] == "hastart"
    clock.advance(1)
    assert boss.status(103, "pve2")["ha"]["state"] == "request_start"
    assert not kept.guest(103).is_up
    clock.advance(7)
    assert kept.guest(103).is_up
    [started] = [task for task in kept.tasks if task.type == "qmstart"]
    assert str(started.identity) == "root@pam"


def test_what_is_not_about_its_state_acts_at_once(kept: Cluster, boss: Api, clock: ManualClock) -> None:
    assert boss.start(f"{VM}/status/suspend").split(":")[5] == "qmpause"
    clock.advance(1)
    assert boss.row(101)["status"] == "paused"


def test_nobody_overrules_the_manager(kept: Cluster, boss: Api) -> None:
    answer = boss.post(f"{VM}/status/stop", **{"overrule-shutdown": 1})
    assert answer.status_code == 400
    assert "overrule-shutdown" in answer.json()["errors"]


def test_the_manager_tells_what_it_keeps(kept: Cluster, boss: Api, pupil: Api) -> None:
    rows = {row["id"]: row for row in boss.data("/cluster/ha/status/current")}
    assert rows["quorum"]["quorate"] == 1
    assert rows["service:vm:101"]["state"] == "started"
    assert {"master", "lrm:pve3"} <= set(rows)
    assert [row["sid"] for row in boss.data("/cluster/ha/resources", type="vm")] == ["vm:101", "vm:103"]
    assert boss.data("/cluster/ha/resources", type="ct") == []
    assert pupil.get("/cluster/ha/status/current").status_code == 403


def test_others_are_not_managed(boss: Api, lab: Cluster) -> None:
    assert boss.status(102)["ha"] == {"managed": 0}
    assert "hastate" not in boss.row(102)
    assert {row["type"] for row in boss.data("/cluster/ha/status/current")} == {"quorum", "fencing"}
