"""Pools, those within others too."""

import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api, Clients


def members(api: Api, poolid: str) -> list[int]:
    [pool] = api.data("/pools", poolid=poolid)
    return [row["vmid"] for row in pool["members"]]


def change(api: Api, **form: object) -> str:
    return api.call("PUT", "/pools", data=form).reason


def test_a_pool_is_made_filled_and_deleted(boss: Api) -> None:
    assert boss.post("/pools", poolid="new", comment="a class").json()["data"] is None
    assert {"poolid": "new", "comment": "a class"} in boss.data("/pools")
    assert change(boss, poolid="new", vms="110,201") == "OK"
    assert members(boss, "new") == [110, 201]
    refusal = boss.call("DELETE", "/pools/new").reason
    assert refusal == "delete pool failed: pool 'new' is not empty (contains VM 110)"
    assert change(boss, poolid="new", vms="110,201", delete=1) == "OK"
    assert boss.call("DELETE", "/pools/new").status_code == 200
    assert boss.get("/pools/new").reason == "pool 'new' does not exist"


def test_a_guest_is_in_one_pool(boss: Api) -> None:
    boss.post("/pools", poolid="new")
    refusal = "update pools failed: VM 101 belongs already to pool 'labs' and 'allow-move' is not set"
    assert change(boss, poolid="new", vms="101") == refusal
    assert change(boss, poolid="labs", vms="101") == "update pools failed: VM 101 is already a pool member"
    assert change(boss, poolid="new", vms="101", **{"allow-move": 1}) == "OK"
    assert (members(boss, "new"), members(boss, "labs")) == ([101], [102])


def test_a_pool_within_another_one(boss: Api) -> None:
    assert boss.post("/pools", poolid="a/b").reason.startswith("create pool failed: parent 'a'")
    boss.post("/pools", poolid="a")
    assert boss.post("/pools", poolid="a/b").status_code == 200
    assert {"poolid": "a/b"} in boss.data("/pools")
    assert members(boss, "a/b") == []
    refusal = boss.call("DELETE", "/pools", params={"poolid": "a"}).reason
    assert refusal == "delete pool failed: pool 'a' is not empty (contains pool 'a/b')"
    assert boss.call("DELETE", "/pools", params={"poolid": "a/b"}).status_code == 200


@pytest.mark.parametrize("path", ["/pools/a/b", "/pools/a%2Fb"])
def test_a_path_has_no_room_for_one_within_another(lab: Cluster, boss: Api, path: str) -> None:
    lab.add_pool("a/b")
    answer = boss.get(path)
    assert (answer.status_code, answer.reason) == (501, "Method 'GET /pools/a/b' not implemented")


def test_rights_reach_from_the_outer_pool_to_the_inner(lab: Cluster, clients: Clients) -> None:
    lab.add_user("t@pve", "x", acl={"/pool/a": "PVEPoolUser"})
    for name in ("a", "a/b", "c"):
        lab.add_pool(name)
    api = clients.make(lab, headers=lab.add_token("t@pve", "t", privsep=False).headers)
    assert [row["poolid"] for row in api.data("/pools")] == ["a", "a/b"]


def test_the_answer_names_the_pool(boss: Api) -> None:
    assert boss.data("/pools/labs")["poolid"] == "labs"


def test_who_may_not_allocate_changes_nothing(pupil: Api) -> None:
    refusals = [pupil.post("/pools", poolid="new"), pupil.call("PUT", "/pools", data={"poolid": "labs"})]
    assert [one.reason for one in refusals] == [
        "Permission check failed (/pool/new, Pool.Allocate)",
        "Permission check failed (/pool/labs, Pool.Allocate)",
    ]


def test_permissions_name_members_of_pools_but_no_pool_without_an_entry(lab: Cluster, boss: Api) -> None:
    paths = boss.data("/access/permissions")
    assert {"/vms/101", "/vms/102"} <= paths.keys()
    assert "/pool/labs" not in paths
    lab.grant("/pool/labs", "pupil@pve", "PVEPoolUser")
    assert "/pool/labs" in boss.data("/access/permissions")
