"""Reads that the portal has no use for, and clients of others have."""

import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", {"subdir": "version"}),
        ("/cluster", {"name": "resources"}),
        ("/nodes/pve1", {"name": "qemu"}),
        ("/cluster/backup-info/not-backed-up", {"vmid": 101, "name": "web", "type": "qemu"}),
        ("/nodes/pve1/network", {"iface": "vmbr0", "type": "bridge"}),
        ("/cluster/config/nodes", {"node": "pve3", "nodeid": "3"}),
    ],
)
def test_lists_which_other_clients_read(boss: Api, path: str, wanted: dict[str, object]) -> None:
    assert [row for row in boss.data(path) if wanted.items() <= row.items()]


@pytest.mark.parametrize("path", ["/cluster/backup", "/cluster/replication", "/nodes/pve1/replication"])
def test_what_there_is_none_of_is_an_empty_list(boss: Api, path: str) -> None:
    assert boss.data(path) == []


def test_single_things_which_other_clients_read(lab: Cluster, boss: Api) -> None:
    assert boss.data("/nodes/pve1/subscription")["status"] == "notfound"
    assert boss.data("/cluster/config/qdevice") == {}
    assert boss.data("/access/roles/PVEPoolUser") == {"Pool.Audit": 1}
    assert boss.get("/access/roles/none").reason == "role 'none' does not exist"
    assert len(boss.data("/nodes/pve1/rrddata", timeframe="hour")) == 60
    lab.guest(101).agent = "alive"
    assert boss.data("/nodes/pve1/qemu/101/agent/get-fsinfo")["result"][0]["mountpoint"] == "/"


def test_the_manager_of_high_availability(lab: Cluster, boss: Api) -> None:
    assert boss.data("/cluster/ha/status/manager_status")["manager_status"] == {}
    lab.guest(102).ha = "stopped"
    found = boss.data("/cluster/ha/status/manager_status")
    assert found["manager_status"]["service_status"] == {"vm:102": {"node": "pve1", "state": "stopped"}}
    assert found["quorum"]["quorate"] == "1"


def test_a_student_audits_nothing_of_the_cluster(pupil: Api) -> None:
    for path in ("/cluster/backup-info/not-backed-up", "/cluster/backup", "/cluster/config/nodes"):
        assert pupil.get(path).reason == "Permission check failed (/, Sys.Audit)"
