import pytest

from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api

WEB, DB, BOX = "/nodes/pve1/qemu/101/status", "/nodes/pve1/qemu/102/status", "/nodes/pve2/lxc/201/status"
GONE_QUIET = "VM quit/powerdown failed - got timeout"


def test_a_start_takes_its_time(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{DB}/start")
    clock.advance(1.9)
    assert boss.task(upid)["status"] == "running"
    assert boss.status(102)["status"] == "stopped"
    clock.advance(0.1)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert boss.status(102)["status"] == "running"


def test_a_start_of_a_running_machine_fails_in_its_task(boss: Api) -> None:
    assert boss.task(boss.start(f"{WEB}/start"))["exitstatus"] == "VM 101 already running"


def test_a_start_of_a_running_container_fails_at_once(boss: Api) -> None:
    answer = boss.post(f"{BOX}/start")
    assert (answer.status_code, answer.reason) == (500, "CT 201 already running")


def test_a_template_does_not_start(boss: Api) -> None:
    upid = boss.start("/nodes/pve1/qemu/110/status/start")
    assert boss.task(upid)["exitstatus"] == "you can't start a vm if it's a template"


def test_a_locked_guest_does_not_start(lab: Cluster, boss: Api) -> None:
    lab.guest(102).lock = "backup"
    assert boss.task(boss.start(f"{DB}/start"))["exitstatus"] == "VM is locked (backup)"


def test_stop_and_shutdown_of_a_stopped_machine_end_well(boss: Api) -> None:
    for action in ("stop", "shutdown"):
        assert boss.task(boss.start(f"{DB}/{action}"))["exitstatus"] == "OK"


def test_stop_of_a_stopped_container_fails_at_once(lab: Cluster, boss: Api) -> None:
    lab.guest(201).status = "stopped"
    assert boss.post(f"{BOX}/stop").reason == "CT 201 not running"


@pytest.mark.parametrize("action", ["reset", "reboot", "suspend", "resume"])
def test_what_needs_a_running_machine_fails_at_once(boss: Api, action: str) -> None:
    answer = boss.post(f"{DB}/{action}")
    assert (answer.status_code, answer.reason) == (500, "VM 102 not running")


def test_a_shutdown_is_obeyed(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{WEB}/shutdown")
    clock.advance(3)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert boss.status(101)["status"] == "stopped"


def test_a_deaf_machine_outlasts_the_timeout(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(101).acpi = False
    upid = boss.start(f"{WEB}/shutdown", timeout=20)
    clock.advance(19)
    assert boss.task(upid)["status"] == "running"
    clock.advance(1)
    assert boss.task(upid)["exitstatus"] == GONE_QUIET
    assert boss.status(101)["status"] == "running"


def test_a_timeout_which_is_too_short_is_one(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{WEB}/shutdown", timeout=2)
    clock.advance(2)
    assert boss.task(upid)["exitstatus"] == GONE_QUIET


def test_force_stops_a_deaf_machine_in_the_end(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(101).acpi = False
    upid = boss.start(f"{WEB}/shutdown", timeout=2, forceStop=1)
    clock.advance(3)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert lab.guest(101).status == "stopped"


def test_a_paused_machine_is_not_shut_down(lab: Cluster, boss: Api) -> None:
    lab.guest(101).status = "paused"
    assert boss.post(f"{WEB}/shutdown").reason == "VM is paused - cannot shutdown"


def test_suspend_and_resume(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{WEB}/suspend")
    clock.advance(1)
    assert upid.split(":")[5] == "qmpause"
    assert boss.status(101)["qmpstatus"] == "paused"
    boss.start(f"{WEB}/resume")
    clock.advance(1)
    assert boss.status(101)["qmpstatus"] == "running"


def test_suspend_to_disk_leaves_a_lock_which_a_start_takes_away(boss: Api, clock: ManualClock) -> None:
    boss.start(f"{WEB}/suspend", todisk=1)
    clock.advance(1)
    assert (boss.status(101)["status"], boss.status(101)["lock"]) == ("stopped", "suspended")
    boss.start(f"{WEB}/start")
    clock.advance(2)
    assert boss.status(101)["status"] == "running"
    assert "lock" not in boss.status(101)


def test_a_reboot_ends_when_the_machine_is_down_and_root_starts_it_again(
    lab: Cluster, boss: Api, clock: ManualClock
) -> None:
    upid = boss.start(f"{WEB}/reboot")
    clock.advance(3)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert lab.guest(101).status == "stopped"
    clock.advance(3)
    assert lab.guest(101).status == "running"
    [newest, *_] = boss.data("/nodes/pve1/tasks", vmid=101)
    assert (newest["type"], newest["user"]) == ("qmstart", "root@pam")


def test_a_reset_begins_the_uptime_again(boss: Api, clock: ManualClock) -> None:
    clock.advance(500)
    boss.start(f"{WEB}/reset")
    clock.advance(10)
    assert boss.status(101)["uptime"] < 10


def test_a_container_has_no_reset(boss: Api) -> None:
    assert boss.post(f"{BOX}/reset").status_code == 501


def test_two_starts_at_once_are_one_start(boss: Api, clock: ManualClock) -> None:
    first, second = boss.start(f"{DB}/start"), boss.start(f"{DB}/start")
    clock.advance(3)
    assert boss.task(first)["exitstatus"] == "OK"
    assert boss.task(second)["exitstatus"] == "VM 102 already running"


def test_a_second_action_waits_ten_seconds_for_the_lock(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(101).acpi = False
    boss.start(f"{WEB}/shutdown", timeout=60)
    upid = boss.start(f"{WEB}/start")
    clock.advance(9)
    assert boss.task(upid)["status"] == "running"
    clock.advance(1)
    exitstatus = boss.task(upid)["exitstatus"]
    assert exitstatus == "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout"


def test_a_stop_may_overrule_a_shutdown(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(101).acpi = False
    shutdown = boss.start(f"{WEB}/shutdown", timeout=60)
    stop = boss.start(f"{WEB}/stop", **{"overrule-shutdown": 1})
    clock.advance(1)
    assert boss.task(shutdown)["exitstatus"] == "received interrupt"
    assert boss.task(stop)["exitstatus"] == "OK"
    assert lab.guest(101).status == "stopped"


def test_power_needs_its_privilege(pupil: Api) -> None:
    assert pupil.post(f"{WEB}/reset").status_code == 200
    assert pupil.post(f"{DB}/start").reason == "Permission check failed (/vms/102, VM.PowerMgmt)"


def test_a_start_without_quorum_is_refused(lab: Cluster, boss: Api) -> None:
    lab.stop_node("pve2")
    lab.stop_node("pve3")
    assert boss.post(f"{DB}/start").reason == "cluster not ready - no quorum?"
    assert boss.data("/cluster/status")[0]["quorate"] == 0
