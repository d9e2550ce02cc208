"""Tickets and websockets of guests' consoles, as a VNC client meets them."""

from __future__ import annotations

import struct

import pytest

from pvesim import Cluster, ManualClock, Simulator
from tests.waits import TIMEOUT, wait_until

from .conftest import Api, Clients
from .console_helpers import BOX, UNANSWERED, WEB, ends, refusal
from .vnc_client import Viewer, proxy

# --- the ticket ---


def test_the_proxy_tells_where_and_how_to_look(lab: Cluster, boss: Api) -> None:
    given = proxy(boss, WEB)
    assert given["port"] == "5900"
    assert given["user"] == "boss@pve!all"
    assert given["cert"] == lab.ca_pem
    assert boss.task(given["upid"])["status"] == "running"
    assert proxy(boss, WEB)["port"] == "5901"


@pytest.mark.parametrize(("release", "asked", "has_password"), [("7", 0, 0), ("8", 0, 0), ("8", 1, 1), ("9", 0, 1)])
def test_who_gets_a_password(sim: Simulator, clients: Clients, release: str, asked: int, has_password: int) -> None:
    old = sim.add_cluster("old", release=release)
    old.add_user("boss@pve", "pw", acl={"/": "Administrator"})
    old.add_guest(101, status="running")
    api = clients.make(old, headers=old.add_token("boss@pve", "all", privsep=False).headers)
    given = proxy(api, WEB, **({"generate-password": 1} if asked else {}))
    assert len(given.get("password", "")) == 8 * has_password
    assert given["ticket"].startswith("PVEVNC:") == (release != "9")
    with Viewer(api, WEB, given) as viewer:
        assert viewer.log_in() == 0


def test_containers_choose_a_size_and_no_password(boss: Api) -> None:
    answer = boss.post(f"{BOX}/vncproxy", **{"websocket": 1, "generate-password": 1})
    assert list(answer.json()["errors"]) == ["generate-password"]
    with Viewer(boss, BOX, proxy(boss, BOX, width=320, height=200)) as viewer:
        assert viewer.open() == (320, 200, "CT 201")


def test_only_holders_of_the_privilege_look(lab: Cluster, pupil: Api) -> None:
    assert proxy(pupil, WEB)["user"] == "pupil@pve!all"
    answer = pupil.post("/nodes/pve1/qemu/102/vncproxy", websocket=1)
    assert (answer.status_code, answer.reason) == (403, "Permission check failed (/vms/102, VM.Console)")
    given = proxy(pupil, WEB)
    lab.revoke("/vms/101", "pupil@pve")
    assert refusal(pupil, WEB, given)[0] == 403


def test_a_ticket_opens_one_display_for_one_user(boss: Api, pupil: Api, anonymous: Api, lab: Cluster) -> None:
    wrong = (401, "permission denied - invalid PVEVNC ticket")
    lab.guest(102).status = "running"
    given = proxy(boss, WEB)
    assert refusal(pupil, WEB, given) == wrong
    assert refusal(boss, "/nodes/pve1/qemu/102", given) == wrong
    assert refusal(boss, WEB, {**given, "port": "5901"}) == wrong
    assert refusal(boss, WEB, {**given, "ticket": given["ticket"][:-9] + "AAAAAAAA="}) == wrong
    assert refusal(anonymous, WEB, given) == (401, "No ticket")
    Viewer(boss, WEB, given).close()


def test_a_ticket_opens_a_display_once_and_on_its_own_node(lab: Cluster, boss: Api, clients: Clients) -> None:
    given = proxy(boss, WEB)
    with pytest.raises(UNANSWERED):
        Viewer(clients.make(lab, "pve2", {"Authorization": boss.header}), WEB, given)
    with Viewer(boss, WEB, given), pytest.raises(UNANSWERED):
        Viewer(boss, WEB, given)


def test_nobody_waits_for_long(clock: ManualClock, boss: Api) -> None:
    given = proxy(boss, WEB)
    clock.advance(10.5)
    with pytest.raises(UNANSWERED):
        Viewer(boss, WEB, given)
    assert boss.task(given["upid"])["exitstatus"] == "connection timed out"
    clock.advance(40)
    assert refusal(boss, WEB, given)[0] == 401


def test_the_task_lasts_as_long_as_the_connection(clock: ManualClock, boss: Api) -> None:
    with Viewer(boss, WEB) as viewer:
        clock.advance(100)
        assert boss.task(viewer.given["upid"])["status"] == "running"
    wait_until(lambda: boss.task(viewer.given["upid"]).get("exitstatus") == "OK")
    with Viewer(boss, WEB) as viewer:
        boss.call("DELETE", f"/nodes/pve1/tasks/{viewer.given['upid']}")
        ends(viewer)


def test_guests_of_other_nodes_are_seen_through_the_one_which_was_asked(lab: Cluster, boss: Api) -> None:
    with Viewer(boss, BOX) as viewer:
        assert viewer.given["upid"].split(":")[1] == "pve1"
        assert viewer.open()[2] == "CT 201"
        lab.stop_node("pve2")
        ends(viewer)
    assert boss.get(f"{BOX}/status/current").status_code == 595
    with Viewer(boss, BOX) as viewer:
        ends(viewer)


def test_a_dead_daemon_opens_no_port(lab: Cluster, boss: Api) -> None:
    lab.faults.daemon_down("pve1")
    assert boss.post(f"{WEB}/vncproxy", websocket=1).reason == "Connection refused"
    lab.faults.undo()
    lab.faults.daemon_hangs("pve1", 0.0)
    assert boss.post(f"{WEB}/vncproxy", websocket=1).status_code == 596


def test_a_guest_which_is_off_shows_nothing(boss: Api) -> None:
    with Viewer(boss, "/nodes/pve1/qemu/102") as viewer:
        ends(viewer)
    assert boss.post("/nodes/pve1/qemu/999/vncproxy", websocket=1).status_code == 500


# --- the websocket ---


def test_the_subprotocol_is_echoed_and_compression_is_not_spoken(boss: Api) -> None:
    with Viewer(boss, WEB, compression="deflate") as viewer:
        assert viewer.websocket.subprotocol == "binary"
        assert viewer.websocket.protocol.extensions == []
    with Viewer(boss, WEB, subprotocols=None) as viewer:
        assert viewer.websocket.subprotocol is None


MASKED = b"\0\0\0\0"
FRAMES = {
    "fragmented": b"\x02\x81" + MASKED + b"R",
    "compressed": b"\xc2\x81" + MASKED + b"R",
    "unmasked": b"\x82\x01R",
    "too large": b"\x82\xff" + (128 * 1024 + 1).to_bytes(8) + MASKED,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_which_end_the_connection(boss: Api, kind: str) -> None:
    with Viewer(boss, WEB) as viewer:
        viewer.receive(12)
        viewer.websocket.socket.sendall(FRAMES[kind])
        ends(viewer)


def test_frames_which_do_not(boss: Api, lab: Cluster) -> None:
    with Viewer(boss, WEB) as viewer:
        assert viewer.websocket.ping().wait(TIMEOUT)
        viewer.open()
        pasted = "x" * (128 * 1024 - 8)
        viewer.websocket.send(struct.pack(">BxxxI", 6, len(pasted)) + pasted.encode())
        viewer.websocket.send("\x04\x01\0\0\0\0\0a", text=True)
        wait_until(lambda: lab.keys_typed(101) == "a")
        assert lab.text_pasted(101) == pasted


def test_without_an_upgrade_the_port_is_all_one_learns(boss: Api) -> None:
    given = proxy(boss, WEB)
    assert boss.data(f"{WEB}/vncwebsocket", port=given["port"], vncticket=given["ticket"]) == {"port": "5900"}
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Version": "8"}
    query = {"port": given["port"], "vncticket": given["ticket"]}
    answer = boss.call("GET", f"{WEB}/vncwebsocket", params=query, headers=headers)
    assert (answer.status_code, answer.reason) == (500, "unsupported websocket version '8'")
