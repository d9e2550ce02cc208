"""API tokens are made, changed, and deleted by the API."""

import uuid

import pytest

from pvesim import Cluster
from tests.pvesim.conftest import Api, Clients

PLACE = "/access/users/boss@pve/token"


def test_a_new_token_works_at_once_and_tells_its_secret_once(lab: Cluster, clients: Clients, boss: Api) -> None:
    made = boss.post(f"{PLACE}/fresh", privsep=0, comment="for a test").json()["data"]
    assert made["full-tokenid"] == "boss@pve!fresh"
    assert made["info"] == {"expire": 0, "privsep": "0", "comment": "for a test"}
    assert str(uuid.UUID(made["value"])) == made["value"]
    fresh = clients.make(lab, headers={"Authorization": f"PVEAPIToken=boss@pve!fresh={made['value']}"})
    assert fresh.get("/nodes/pve1/status").status_code == 200
    assert "value" not in boss.data(f"{PLACE}/fresh")


def test_privileges_are_separated_unless_told_otherwise(boss: Api) -> None:
    boss.post(f"{PLACE}/fresh")
    assert boss.data(f"{PLACE}/fresh") == {"expire": 0, "privsep": 1}


def test_tokens_are_listed(boss: Api) -> None:
    boss.post(f"{PLACE}/fresh", expire=1_900_000_000)
    rows = {row["tokenid"]: row for row in boss.data(PLACE)}
    assert rows["fresh"] == {"tokenid": "fresh", "expire": 1_900_000_000, "privsep": 1}
    assert rows["all"]["privsep"] == 0


def test_a_deleted_token_is_gone_with_its_rights(lab: Cluster, clients: Clients, boss: Api) -> None:
    secret = boss.post(f"{PLACE}/fresh", privsep=0).json()["data"]["value"]
    lab.grant("/vms/101", "boss@pve!fresh", "PVEVMUser")
    fresh = clients.make(lab, headers={"Authorization": f"PVEAPIToken=boss@pve!fresh={secret}"})
    assert boss.call("DELETE", f"{PLACE}/fresh").json()["data"] is None
    assert fresh.get("/version").status_code == 401
    assert "boss@pve!fresh" not in {row["ugid"] for row in boss.data("/access/acl")}


def test_a_token_can_be_changed(boss: Api) -> None:
    boss.post(f"{PLACE}/fresh")
    assert boss.call("PUT", f"{PLACE}/fresh", data={"expire": 5, "comment": "short"}).status_code == 200
    assert boss.data(f"{PLACE}/fresh") == {"expire": 5, "privsep": 1, "comment": "short"}


def test_a_secret_can_be_made_anew(lab: Cluster, clients: Clients, boss: Api) -> None:
    before = boss.post(f"{PLACE}/fresh", privsep=0).json()["data"]["value"]
    after = boss.call("PUT", f"{PLACE}/fresh", data={"regenerate": 1}).json()["data"]["value"]
    status = {}
    for secret in (before, after):
        api = clients.make(lab, headers={"Authorization": f"PVEAPIToken=boss@pve!fresh={secret}"})
        status[secret] = api.get("/version").status_code
    assert status == {before: 401, after: 200}


def test_what_is_wrong_is_named(boss: Api) -> None:
    boss.post(f"{PLACE}/fresh")
    again = boss.post(f"{PLACE}/fresh")
    assert (again.status_code, again.json()["errors"]) == (400, {"tokenid": "Token already exists."})
    assert boss.get(f"{PLACE}/none").reason == "no such token 'none' for user 'boss@pve'"
    assert boss.post("/access/users/nobody@pve/token/x1").reason == "no such user ('nobody@pve')"
    assert "tokenid" in boss.post(f"{PLACE}/1").json()["errors"]


@pytest.mark.parametrize(("userid", "status"), [("pupil@pve", 200), ("boss@pve", 403)])
def test_users_manage_their_own_tokens(pupil: Api, userid: str, status: int) -> None:
    assert pupil.get(f"/access/users/{userid}/token").status_code == status
    assert pupil.post(f"/access/users/{userid}/token/own").status_code == status


def test_without_quorum_none_is_made(lab: Cluster, boss: Api) -> None:
    lab.faults.quorum_lost()
    answer = boss.post(f"{PLACE}/fresh")
    assert answer.reason == "generating token failed: cfs-lock 'file-user_cfg' error: no quorum!"
    assert "boss@pve!fresh" not in lab.accounts.tokens


def test_users_come_with_groups_and_tokens(lab: Cluster, boss: Api) -> None:
    lab.add_group("staff", ["boss@pve"])
    plain = {row["userid"]: row for row in boss.data("/access/users")}
    full = {row["userid"]: row for row in boss.data("/access/users", full=1)}
    assert "groups" not in plain["boss@pve"]
    assert (full["boss@pve"]["groups"], full["pupil@pve"]["groups"]) == ("staff", "")
    assert full["boss@pve"]["tokens"] == [{"tokenid": "all", "expire": 0, "privsep": 0}]
    assert full["pupil@pve"]["tokens"] is None
    assert boss.data("/access/users/boss@pve")["tokens"] == {"all": {"expire": 0, "privsep": 0}}
    assert boss.data("/access/users/pupil@pve")["tokens"] is None
