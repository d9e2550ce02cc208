from typing import Any
from urllib.parse import quote

import pytest

from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api
from tests.waits import TIMEOUT

STOP = "/nodes/pve1/qemu/102/status/stop"


def log_in(api: Api, username: str = "boss@pve", password: str = "boss-pw", **form: str) -> dict[str, Any]:
    answer = api.post("/access/ticket", username=username, password=password, **form)
    assert answer.status_code == 200, answer.reason
    return dict(answer.json()["data"])


def with_ticket(ticket: str) -> dict[str, str]:
    return {"Cookie": f"PVEAuthCookie={ticket}"}


def test_a_login_gives_a_ticket_and_a_csrf_token(anonymous: Api, clock: ManualClock) -> None:
    login = log_in(anonymous)
    stamp = f"{int(clock.now()):08X}"
    assert login["ticket"].startswith(f"PVE:boss@pve:{stamp}::")
    assert login["CSRFPreventionToken"].startswith(f"{stamp}:")
    assert login["clustername"] == "lab-a"
    assert login["cap"]["nodes"]["Sys.Audit"] == 1


def test_a_restricted_user_has_few_capabilities_and_no_cluster_name(anonymous: Api) -> None:
    login = log_in(anonymous, "pupil@pve", "pupil-pw")
    assert "VM.PowerMgmt" in login["cap"]["vms"]
    assert login["cap"]["nodes"] == {}
    assert "clustername" not in login


def test_the_realm_may_be_a_parameter(anonymous: Api) -> None:
    assert log_in(anonymous, "boss", realm="pve")["username"] == "boss@pve"


@pytest.mark.parametrize("username", ["boss@pve", "ghost@pve", "boss@nowhere", "boss"])
def test_every_failed_login_looks_the_same(anonymous: Api, username: str) -> None:
    answer = anonymous.post("/access/ticket", username=username, password="wrong")
    assert (answer.status_code, answer.reason) == (401, "authentication failure")
    assert answer.json()["data"] is None


def test_disabled_and_expired_users_do_not_get_in(lab: Cluster, anonymous: Api) -> None:
    lab.add_user("off@pve", password="x", enabled=False)
    lab.add_user("old@pve", password="x", expire=1_000_000)
    for username in ("off@pve", "old@pve"):
        answer = anonymous.post("/access/ticket", username=username, password="x")
        assert answer.status_code == 401


@pytest.mark.parametrize("encode", [lambda ticket: ticket, lambda ticket: quote(ticket, safe="")])
def test_the_cookie_may_be_raw_or_percent_encoded(anonymous: Api, encode: Any) -> None:
    headers = with_ticket(encode(log_in(anonymous)["ticket"]))
    assert anonymous.call("GET", "/version", headers=headers).status_code == 200


def test_without_a_ticket_there_is_no_body_either(anonymous: Api) -> None:
    answer = anonymous.get("/version")
    assert (answer.status_code, answer.reason, answer.text) == (401, "No ticket", "")
    assert "Content-Type" not in answer.headers


def test_a_tampered_ticket_is_refused(anonymous: Api) -> None:
    ticket = log_in(anonymous, "pupil@pve", "pupil-pw")["ticket"]
    for forged in (ticket.replace("pupil@", "boss@"), ticket[:-9] + "AAAAAAAA=", "garbage"):
        answer = anonymous.call("GET", "/version", headers=with_ticket(forged))
        assert (answer.status_code, answer.text) == (401, "")


def test_a_ticket_lives_two_hours(anonymous: Api, clock: ManualClock) -> None:
    headers = with_ticket(log_in(anonymous)["ticket"])
    clock.advance(7200)
    assert anonymous.call("GET", "/version", headers=headers).status_code == 200
    clock.advance(1)
    answer = anonymous.call("GET", "/version", headers=headers)
    assert (answer.status_code, answer.reason) == (401, "Authentication failed!")


def test_a_ticket_renews_itself_as_a_password(anonymous: Api, clock: ManualClock) -> None:
    old = log_in(anonymous)["ticket"]
    clock.advance(7000)
    renewed = log_in(anonymous, password=old)["ticket"]
    clock.advance(7000)
    assert anonymous.call("GET", "/version", headers=with_ticket(renewed)).status_code == 200
    assert anonymous.post("/access/ticket", username="boss@pve", password=old).status_code == 401


def test_a_ticket_is_good_for_every_node_of_the_cluster(lab: Cluster, anonymous: Api) -> None:
    headers = with_ticket(log_in(anonymous)["ticket"])
    anonymous.url = lab.urls["pve3"]
    assert anonymous.call("GET", "/version", headers=headers).status_code == 200


def test_a_write_by_ticket_needs_the_csrf_token(anonymous: Api) -> None:
    login = log_in(anonymous)
    headers = with_ticket(login["ticket"])
    for wrong in ({}, {"CSRFPreventionToken": "6B036342:bad"}):
        answer = anonymous.call("POST", STOP, headers=headers | wrong)
        assert (answer.status_code, answer.reason) == (401, "Permission denied - invalid csrf token")
    right = {"CSRFPreventionToken": login["CSRFPreventionToken"]}
    assert anonymous.call("POST", STOP, headers=headers | right).status_code == 200


def test_the_csrf_token_of_another_user_is_refused(anonymous: Api) -> None:
    other = log_in(anonymous, "pupil@pve", "pupil-pw")["CSRFPreventionToken"]
    headers = with_ticket(log_in(anonymous)["ticket"]) | {"CSRFPreventionToken": other}
    assert anonymous.call("POST", STOP, headers=headers).status_code == 401


def test_disabling_a_user_ends_tickets_and_tokens(lab: Cluster, anonymous: Api, boss: Api) -> None:
    headers = with_ticket(log_in(anonymous)["ticket"])
    lab.user("boss@pve").enabled = False
    assert anonymous.call("GET", "/version", headers=headers).status_code == 401
    assert boss.get("/version").status_code == 401
    lab.user("boss@pve").enabled = True
    assert boss.get("/version").status_code == 200


def test_a_token_needs_no_csrf_token(boss: Api) -> None:
    assert boss.post(STOP).status_code == 200


@pytest.mark.parametrize("change", [lambda value: value[:-1], lambda value: value.split("=")[1]])
def test_a_token_without_its_right_secret_is_refused(lab: Cluster, anonymous: Api, change: Any) -> None:
    value = change(lab.add_token("boss@pve", "t").header.removeprefix("PVEAPIToken="))
    answer = anonymous.call("GET", "/version", headers={"Authorization": f"PVEAPIToken={value}"})
    assert (answer.status_code, answer.reason, answer.text) == (401, "Authentication failed!", "")


def test_an_expired_token_is_refused(lab: Cluster, anonymous: Api, clock: ManualClock) -> None:
    token = lab.add_token("boss@pve", "brief", expire=int(clock.now()) + 10)
    assert anonymous.call("GET", "/version", headers=token.headers).status_code == 200
    clock.advance(10)
    assert anonymous.call("GET", "/version", headers=token.headers).status_code == 401


def test_a_removed_token_is_refused(lab: Cluster, boss: Api) -> None:
    lab.remove_token("boss@pve!all")
    assert boss.get("/version").status_code == 401


def test_a_stale_cookie_beats_a_good_token(boss: Api) -> None:
    assert boss.call("GET", "/version", headers=with_ticket("stale")).status_code == 401


def test_a_token_cannot_log_in(boss: Api) -> None:
    answer = boss.post("/access/ticket", username="boss@pve", password="boss-pw")
    assert answer.status_code == 403
    assert "not available with API token" in answer.reason


def test_the_realms_are_public(anonymous: Api) -> None:
    assert {row["realm"] for row in anonymous.data("/access/domains")} == {"pam", "pve"}


def test_a_refusal_is_late_by_the_clock(lab: Cluster, anonymous: Api, clock: ManualClock) -> None:
    lab.unauthorized_delay = 3.0
    with pytest.raises(OSError, match="timed out"):
        anonymous.call("GET", "/version", timeout=(TIMEOUT, 0.1))
    lab.unauthorized_delay = 0.0
    assert anonymous.get("/version").status_code == 401
