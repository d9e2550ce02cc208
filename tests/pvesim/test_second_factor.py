"""Logins in two steps, realms and groups."""

from typing import Any

import pytest
import requests

from pvesim import Cluster, ManualClock, totp

from .conftest import Api, Clients

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def careful(lab: Cluster) -> str:
    lab.add_user("careful@pve", "careful-pw", totp=SECRET)
    return "careful@pve"


def log_in(api: Api, user: str, password: str, **more: Any) -> requests.Response:
    return api.post("/access/ticket", username=user, password=password, **more)


def test_codes_are_those_of_the_standard() -> None:
    # The secret and the codes of the appendix of RFC 6238, cut to six digits.
    assert [totp.code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", now) for now in (59, 1111111109)] == ["287082", "081804"]


def test_the_password_is_only_half_of_it(lab: Cluster, anonymous: Api, clients: Clients, careful: str) -> None:
    first = log_in(anonymous, careful, "careful-pw").json()["data"]
    assert first["NeedTFA"] == 1
    assert "cap" not in first
    challenge = clients.make(lab, headers={"Cookie": f"PVEAuthCookie={first['ticket']}"})
    assert challenge.get("/version").status_code == 401
    code = f"totp:{lab.totp_code(careful)}"
    second = log_in(anonymous, careful, code, **{"tfa-challenge": first["ticket"]}).json()["data"]
    assert "NeedTFA" not in second
    logged_in = clients.make(lab, headers={"Cookie": f"PVEAuthCookie={second['ticket']}"})
    assert logged_in.get("/version").status_code == 200


def test_a_code_may_come_along(lab: Cluster, anonymous: Api, careful: str) -> None:
    data = log_in(anonymous, careful, "careful-pw", otp=lab.totp_code(careful)).json()["data"]
    assert data["ticket"].startswith("PVE:careful@pve:")
    assert log_in(anonymous, careful, "careful-pw", otp="000000").status_code == 401


def test_a_challenge_is_for_its_user_and_its_time(
    lab: Cluster, anonymous: Api, clock: ManualClock, careful: str
) -> None:
    lab.add_user("other@pve", "other-pw", totp=SECRET)
    challenge = {"tfa-challenge": log_in(anonymous, careful, "careful-pw").json()["data"]["ticket"]}
    assert log_in(anonymous, "other@pve", f"totp:{lab.totp_code(careful)}", **challenge).status_code == 401
    clock.advance(7201)
    assert log_in(anonymous, careful, f"totp:{lab.totp_code(careful)}", **challenge).status_code == 401


def test_too_many_wrong_codes_lock_the_second_factor(lab: Cluster, anonymous: Api, careful: str) -> None:
    challenge = {"tfa-challenge": log_in(anonymous, careful, "careful-pw").json()["data"]["ticket"]}
    for _ in range(8):
        assert log_in(anonymous, careful, "totp:000000", **challenge).status_code == 401
    right = f"totp:{lab.totp_code(careful)}"
    assert log_in(anonymous, careful, right, **challenge).status_code == 401
    lab.user(careful).wrong_codes = 0
    assert log_in(anonymous, careful, right, **challenge).status_code == 200


def test_renewal_and_tokens_need_no_code(lab: Cluster, anonymous: Api, clients: Clients, careful: str) -> None:
    ticket = log_in(anonymous, careful, "careful-pw", otp=lab.totp_code(careful)).json()["data"]["ticket"]
    assert "cap" in log_in(anonymous, careful, ticket).json()["data"]
    token = clients.make(lab, headers=lab.add_token(careful, "t", privsep=False).headers)
    assert token.get("/version").status_code == 200


def test_realms_are_listed_and_have_users(lab: Cluster, anonymous: Api) -> None:
    lab.add_realm("campus", "ldap", "the directory", default=True)
    lab.add_user("eve@campus", "eve-pw")
    assert {"realm": "campus", "type": "ldap", "comment": "the directory", "default": 1} in anonymous.data(
        "/access/domains"
    )
    assert log_in(anonymous, "eve", "eve-pw", realm="campus").status_code == 200


def test_a_group_has_rights_unless_its_member_has_others(lab: Cluster, pupil: Api) -> None:
    lab.add_group("class", ["pupil@pve"], acl={"/vms": "PVEAuditor"})
    assert pupil.get("/nodes/pve1/qemu/102/status/current").status_code == 200
    lab.grant("/vms", "pupil@pve", "NoAccess")
    assert pupil.get("/nodes/pve1/qemu/102/status/current").status_code == 403
    lab.revoke("/vms", "pupil@pve")
    lab.remove_user("boss@pve")
    lab.add_group("class", [])
    assert pupil.get("/nodes/pve1/qemu/102/status/current").status_code == 403
