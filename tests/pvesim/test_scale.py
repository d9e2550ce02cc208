"""Large clusters: an answer is made once, and stays true."""

import pytest

from pvesim import Cluster, ManualClock, Simulator
from pvesim.seed import fill

from .conftest import Api, Clients


@pytest.fixture
def large(sim: Simulator) -> Cluster:
    cluster = sim.add_cluster("large", nodes=("pve1", "pve2"), statd_interval=10.0)
    cluster.add_user("boss@pve", "boss-pw", acl={"/": "Administrator"})
    cluster.add_user("pupil@pve", "pupil-pw", acl={"/pool/pool-001": "PVEVMUser"})
    fill(cluster, 500)
    return cluster


@pytest.fixture
def api(large: Cluster, clients: Clients) -> Api:
    return clients.make(large, headers=large.add_token("boss@pve", "all", privsep=False).headers)


def made(large: Cluster, api: Api) -> bool:
    """Whether the answer had to be made anew."""
    before = {id(document) for _, document in large.response_cache._kept.values()}
    assert api.data("/cluster/resources")
    return bool({id(document) for _, document in large.response_cache._kept.values()} - before)


def test_an_answer_is_made_once_for_each_tick(large: Cluster, api: Api, clock: ManualClock) -> None:
    assert [made(large, api) for _ in range(3)] == [True, False, False]
    clock.advance(10)
    assert [made(large, api) for _ in range(2)] == [True, False]


def test_it_is_compressed_as_well(large: Cluster, api: Api) -> None:
    plain = api.call("GET", "/cluster/resources", headers={"Accept-Encoding": "identity"})
    packed = api.get("/cluster/resources")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content


def test_every_change_shows_at_once(large: Cluster, api: Api) -> None:
    def row() -> dict[str, object]:
        return api.row(1000)

    guest = large.guest(1000)
    assert row()["node"] == "pve1"
    guest.node = "pve2"
    assert row()["node"] == "pve2"
    guest.tags = ("other",)
    assert row()["tags"] == "other"
    guest.lock = "backup"
    assert row()["lock"] == "backup"
    large.put_in_pool(1000, "pool-007")
    assert row()["pool"] == "pool-007"
    large.remove_guest(1000)
    assert all(row["vmid"] != 1000 for row in api.data("/cluster/resources", type="vm"))


def test_everybody_sees_their_own(large: Cluster, api: Api, clients: Clients) -> None:
    pupil = clients.make(large, headers=large.add_token("pupil@pve", "all", privsep=False).headers)
    assert len(api.data("/cluster/resources", type="vm")) == 500
    assert {row["vmid"] % 200 for row in pupil.data("/cluster/resources", type="vm")} == {1}
    large.revoke("/pool/pool-001", "pupil@pve")
    assert pupil.data("/cluster/resources", type="vm") == []


def test_lost_nodes_are_forgotten_in_time(large: Cluster, api: Api, clock: ManualClock) -> None:
    assert api.row(1001)["status"] == "running"
    large.disconnect_node("pve2")
    assert (api.row(1001)["status"], api.row(1001)["name"]) == ("running", "vm-00001")
    clock.advance(301)
    assert api.row(1001)["status"] == "unknown"
    assert "name" not in api.row(1001)
