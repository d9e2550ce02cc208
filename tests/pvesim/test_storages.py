"""Storages: as configured, as they are, and what is on them."""

import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api

PLACE = "/nodes/pve1/storage"


def names(api: Api, **query: object) -> set[str]:
    return {row["storage"] for row in api.data(PLACE, **query)}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [("images", {"data"}), ("iso", {"local"}), ("images,iso", {"data", "local"}), ("import", set()), ("", None)],
)
def test_storages_are_filtered_by_content(boss: Api, content: str, wanted: set[str] | None) -> None:
    assert names(boss, content=content) == ({"data", "local"} if wanted is None else wanted)


def test_the_configuration(boss: Api, pupil: Api) -> None:
    rows = {row["storage"]: row for row in boss.data("/storage")}
    assert rows["data"] == boss.data("/storage/data")
    assert rows["data"]["content"] == "images,rootdir"
    assert pupil.data("/storage") == []
    assert pupil.get("/storage/data").reason == "Permission check failed (/storage/data, Datastore.Allocate)"
    assert boss.get("/storage/none").reason == "storage 'none' does not exist"


def test_the_status_of_one(boss: Api) -> None:
    [listed] = boss.data(PLACE, storage="data")
    assert boss.data(f"{PLACE}/data/status").items() <= listed.items()


def test_the_disks_on_it(lab: Cluster, boss: Api) -> None:
    lab.add_guest(103, node="pve2")
    volumes = {row["volid"]: row for row in boss.data(f"{PLACE}/data/content")}
    assert set(volumes) == {
        f"data:{name}.qcow2" for name in ("101/vm-101-disk-0", "102/vm-102-disk-0", "110/base-110-disk-0")
    }
    assert volumes["data:101/vm-101-disk-0.qcow2"]["size"] == lab.guest(101).maxdisk
    assert [row["vmid"] for row in boss.data(f"{PLACE}/data/content", vmid=102)] == [102]
    assert boss.data(f"{PLACE}/data/content", content="iso") == boss.data(f"{PLACE}/local/content") == []
