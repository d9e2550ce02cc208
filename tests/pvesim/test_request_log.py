import dataclasses

import pytest

from pvesim import Cluster, ManualClock, Request
from tests.pvesim.conftest import Api


def test_every_request_is_recorded(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    boss.get("/cluster/resources", type="vm")
    assert lab.requests == [Request("GET", "/cluster/resources", "type=vm", "boss@pve!all", 200, "pve1", clock.now())]


def test_refused_and_unknown_requests_are_recorded_too(lab: Cluster, anonymous: Api) -> None:
    anonymous.get("/version")
    anonymous.call("HEAD", "/version")
    assert [(one.method, one.status) for one in lab.requests] == [("GET", 401), ("HEAD", 501)]


def test_an_unanswered_request_has_status_zero(lab: Cluster, boss: Api) -> None:
    lab.faults.reset("/version", times=1)
    with pytest.raises(OSError, match=r"aborted|reset|EOF"):
        boss.get("/version")
    assert [one.status for one in lab.requests] == [0]


def test_requests_are_counted_by_method_and_path(lab: Cluster, boss: Api) -> None:
    boss.get("/version")
    boss.post("/nodes/pve1/qemu/102/status/stop")
    assert lab.count() == 2
    assert lab.count(method="POST") == 1
    assert lab.count(path_regex=r"^/nodes/pve1/qemu/\d+/") == 1
    lab.clear_requests()
    assert lab.count() == 0


def test_no_secret_is_recorded(lab: Cluster, boss: Api, anonymous: Api) -> None:
    login = anonymous.post("/access/ticket", username="boss@pve", password="boss-pw").json()["data"]
    anonymous.call("GET", "/version", headers={"Cookie": f"PVEAuthCookie={login['ticket']}"})
    boss.get("/version", vncticket="PVEVNC:1234")
    text = str([dataclasses.asdict(request) for request in lab.requests])
    secret = lab.token("boss@pve!all").secret
    for part in ("boss-pw", login["ticket"].split("::")[1][:20], secret, "1234"):
        assert part not in text
    assert lab.requests[1].identity == "boss@pve"


def test_a_malformed_token_is_not_recorded(lab: Cluster, anonymous: Api) -> None:
    anonymous.call("GET", "/version", headers={"Authorization": "PVEAPIToken=just-the-secret"})
    assert lab.requests[0].identity == "?"


def test_a_request_shows_on_which_node_it_arrived(lab: Cluster, boss: Api) -> None:
    boss.url = lab.urls["pve3"]
    boss.get("/version")
    assert lab.requests[0].node == "pve3"


def test_secrets_do_not_show_in_a_repr(lab: Cluster) -> None:
    token = lab.add_token("boss@pve", "shy")
    assert token.secret not in repr(token)
    assert "boss-pw" not in repr(lab.user("boss@pve"))
