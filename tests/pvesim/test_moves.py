"""Migration, figures over time, and the options of the datacenter."""

from itertools import pairwise

from pvesim import QUIET, Cluster, Durations, Figures, Load, ManualClock

from .conftest import Api


def test_a_guest_moves_in_a_task(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    upid = boss.start("/nodes/pve1/qemu/102/migrate", target="pve2")
    assert upid.split(":")[5] == "qmigrate"
    assert boss.row(102)["lock"] == "migrate"
    clock.advance(3)
    assert boss.task(upid)["exitstatus"] == "OK"
    assert boss.get("/nodes/pve1/qemu/102/status/current").status_code == 500
    assert "lock" not in boss.status(102, "pve2")


def test_what_does_not_move(lab: Cluster, boss: Api, pupil: Api) -> None:
    assert "without --online" in boss.post("/nodes/pve1/qemu/101/migrate", target="pve2").reason
    assert "target" in boss.post("/nodes/pve1/qemu/102/migrate", target="pve1").json()["errors"]
    assert boss.post("/nodes/pve1/qemu/102/migrate", target="ghost").status_code == 500
    assert pupil.post("/nodes/pve1/qemu/101/migrate", target="pve2").status_code == 403


def test_figures_over_time(lab: Cluster, boss: Api, pupil: Api, clock: ManualClock) -> None:
    clock.advance(600)
    rows = pupil.data("/nodes/pve1/qemu/101/rrddata", timeframe="hour")
    assert len(rows) == 60
    assert {after["time"] - before["time"] for before, after in pairwise(rows)} == {60}
    assert ["cpu" in row for row in (rows[0], rows[-1])] == [False, True]
    assert rows == pupil.data("/nodes/pve1/qemu/101/rrddata", timeframe="hour")
    assert "timeframe" in pupil.get("/nodes/pve1/qemu/101/rrddata").json()["errors"]
    assert boss.data("/nodes/pve2/lxc/201/rrddata", timeframe="year", cf="MAX")


def test_figures_lack_the_cells_of_times_when_a_guest_was_off(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.guest(101).status = "stopped"
    clock.advance(600)
    lab.guest(101).status = "running"
    clock.advance(600)
    begin = clock.now() - 300
    lab.guest(101).figures = Figures([(0.0, QUIET), (begin, Load(0.5, 7.0, 8.0))], [(begin + 60, begin + 180)])
    rows = {row["time"]: row for row in boss.data("/nodes/pve1/qemu/101/rrddata", timeframe="hour", cf="AVERAGE")}
    cells = [sorted(rows[at].keys() & {"cpu", "netin", "maxcpu"}) for at in sorted(rows)]
    off, first, on = ["maxcpu"], ["cpu", "maxcpu"], ["cpu", "maxcpu", "netin"]
    assert cells[0] == []  # before it was there at all
    assert [off in cells, first in cells, cells[-1]] == [True, True, on]
    assert cells.count([]) >= 2
    assert cells.index(off) < cells.index(first) < cells.index(on)
    assert {row["cpu"] for row in rows.values() if "cpu" in row} == {QUIET.cpu, 0.5}


def test_options_of_the_datacenter(lab: Cluster, boss: Api, pupil: Api) -> None:
    assert boss.data("/cluster/options")["mac_prefix"]
    assert pupil.data("/cluster/options") == {"allowed-tags": ["lab", "web"]}


def test_a_start_right_after_a_stop_locks_the_machine(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.durations = Durations(cleanup_lock=30.0)
    boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(1)
    boss.start("/nodes/pve1/qemu/101/status/start")
    clock.advance(2)
    assert lab.guest(101).is_up
    late = boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(10)
    assert "can't lock file" in boss.task(late)["exitstatus"]
    clock.advance(20)
    again = boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(1)
    assert boss.task(again)["exitstatus"] == "OK"


def test_a_start_after_a_pause_does_not(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.durations = Durations(cleanup_lock=30.0)
    boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(1 + 2)
    boss.start("/nodes/pve1/qemu/101/status/start")
    clock.advance(2)
    stop = boss.start("/nodes/pve1/qemu/101/status/stop")
    clock.advance(1)
    assert boss.task(stop)["exitstatus"] == "OK"
