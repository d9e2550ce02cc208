"""What a running machine cannot take over waits for its next start."""

from pvesim import Cluster, ManualClock

from .conftest import Api

VM = "/nodes/pve1/qemu/101"


def put(api: Api, path: str, **form: object) -> int:
    return api.call("PUT", f"{path}/config", data=form).status_code


def memory(api: Api) -> tuple[str, str, int]:
    """As it will be, as it is in the configuration, and as it is."""
    now, then = api.data(f"{VM}/config", current=1), api.data(f"{VM}/config")
    return then["memory"], now["memory"], api.status(101)["maxmem"] >> 20


def test_memory_waits_for_the_next_start(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    assert put(boss, VM, memory=96, description="at once") == 200
    assert memory(boss) == ("96", "1024", 1024)
    assert boss.data(f"{VM}/config", current=1)["description"] == "at once"
    rows = {row["key"]: row for row in boss.data(f"{VM}/pending")}
    assert rows["memory"] == {"key": "memory", "value": "1024", "pending": "96"}
    assert "pending" not in rows["name"]
    for action in ("stop", "start"):
        boss.start(f"{VM}/status/{action}")
        clock.advance(3)
    assert memory(boss) == ("96", "96", 96)
    assert all("pending" not in row for row in boss.data(f"{VM}/pending"))


def test_it_can_be_reverted(lab: Cluster, boss: Api) -> None:
    digest = boss.data(f"{VM}/config")["digest"]
    put(boss, VM, cores=4)
    assert boss.data(f"{VM}/config")["cores"] == 4
    assert boss.data(f"{VM}/config")["digest"] != digest
    assert put(boss, VM, revert="cores") == 200
    assert boss.data(f"{VM}/config")["cores"] == 1


def test_a_stopped_machine_takes_it_over_at_once(lab: Cluster, boss: Api) -> None:
    put(boss, "/nodes/pve1/qemu/102", memory=96)
    assert lab.guest(102).maxmem == 96 << 20
