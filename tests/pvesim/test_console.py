"""Tickets, websockets and displays of guests, as a VNC client meets them."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from pvesim import Cluster, ManualClock, Simulator
from pvesim.console import vncauth
from tests.waits import TIMEOUT

from .conftest import Api, Clients
from .vnc_client import DELETE, RETURN, SHIFT, Viewer, proxy

WEB = "/nodes/pve1/qemu/101"
BOX = "/nodes/pve2/lxc/201"
UNANSWERED = (InvalidMessage, EOFError, ConnectionError, ssl.SSLError)


def eventually(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refusal(api: Api, path: str, given: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        Viewer(api, path, given)
    return caught.value.response.status_code, caught.value.response.reason_phrase


def ends(viewer: Viewer) -> None:
    """The connection breaks off without a closing handshake."""
    with pytest.raises(ConnectionClosed) as caught:
        viewer.drain()
    assert caught.value.rcvd is None


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
    eventually(lambda: boss.task(viewer.given["upid"]).get("exitstatus") == "OK")
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
        eventually(lambda: lab.keys_typed(101) == "a")
        assert lab.text_pasted(101) == pasted


def test_without_an_upgrade_the_port_is_all_one_learns(boss: Api) -> None:
    given = proxy(boss, WEB)
    assert boss.data(f"{WEB}/vncwebsocket", port=given["port"], vncticket=given["ticket"]) == {"port": "5900"}
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Version": "8"}
    query = {"port": given["port"], "vncticket": given["ticket"]}
    answer = boss.call("GET", f"{WEB}/vncwebsocket", params=query, headers=headers)
    assert (answer.status_code, answer.reason) == (500, "unsupported websocket version '8'")


# --- the display ---


def test_a_wrong_password_and_a_forgotten_parameter(boss: Api) -> None:
    with Viewer(boss, WEB) as viewer:
        assert viewer.log_in("not-that") == 1
        assert viewer.receive(26)[4:] == b"Authentication failed\0"
        ends(viewer)
    with Viewer(boss, WEB, proxy(boss, WEB, websocket=0)) as viewer:
        viewer.websocket.send(b"RFB 003.008\n")
        assert viewer.receive(14)[12:] == b"\x01\x13"


@contextmanager
def opened(api: Api, path: str = WEB) -> Iterator[Viewer]:
    """A viewer which has seen the whole picture."""
    with Viewer(api, path) as viewer:
        viewer.open()
        viewer.ask(incremental=False)
        [(x, y, *size, pixels)] = viewer.update()
        assert (x, y, *size) == (0, 0, *viewer.size)
        assert len(set(struct.iter_unpack("4s", pixels))) > 3
        yield viewer


def test_nothing_is_sent_until_something_changes(boss: Api, clock: ManualClock) -> None:
    with opened(boss) as viewer:
        viewer.ask()
        with pytest.raises(TimeoutError):
            viewer.update(timeout=0.3)
        clock.advance(1)
        changed = viewer.update()
        assert 0 < sum(width * height for _, _, width, height, _ in changed) < 30_000


def test_everybody_sees_what_anybody_types(boss: Api, pupil: Api, lab: Cluster) -> None:
    with opened(boss) as mine, opened(pupil) as theirs:
        theirs.ask()
        mine.type("Hi")
        mine.key(SHIFT)
        mine.key(RETURN)
        mine.key(DELETE)
        [(_, y, _, _, _)] = theirs.update()[:1]
        assert 100 < y < 160
        eventually(lambda: lab.keys_typed(101) == "Hi\n[Del]")
        assert lab.key_events(101)[:2] == [(ord("H"), True), (ord("H"), False)]
        assert lab.consoles_open(101) == lab.consoles_open() == 2
    eventually(lambda: lab.consoles_open() == 0)
    assert (lab.consoles_opened(101), lab.consoles_opened(201)) == (2, 0)


def test_the_pointer_leaves_a_dot(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        viewer.point(300, 250, 1)
        viewer.ask()
        [*_, (x, y, width, height, _)] = viewer.update()
        assert x <= 300 < x + width
        assert y <= 253 < y + height
        pointer = lab.pointer(101)
        assert pointer
        assert (pointer.x, pointer.y, pointer.buttons) == (300, 250, 1)


@pytest.mark.parametrize(("bits", "big", "maxima", "shifts", "white"), [
    (8, False, (7, 7, 3), (0, 3, 6), b"\xff"),
    (16, True, (31, 63, 31), (11, 5, 0), b"\xff\xff"),
    (32, True, (255, 255, 255), (0, 8, 16), b"\0\xff\xff\xff"),
])  # fmt: skip
def test_pixels_come_as_they_are_asked_for(  # noqa: PLR0917
    boss: Api, bits: int, big: bool, maxima: tuple[int, ...], shifts: tuple[int, ...], white: bytes
) -> None:
    with Viewer(boss, WEB) as viewer:
        width, height, _ = viewer.open()
        viewer.send(">BxxxBB??HHHBBBxxx", 0, bits, 24, big, True, *maxima, *shifts)
        viewer.ask(incremental=False)
        [(*_, pixels)] = viewer.update(bits // 8)
        assert len(pixels) == width * height * bits // 8
        assert white in {pixels[start : start + bits // 8] for start in range(0, len(pixels), bits // 8)}


def test_a_new_resolution_is_told_to_whom_it_interests(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        viewer.send(">BxHii", 2, 2, 0, -223)
        viewer.ask()
        lab.guest(101).resolution = (800, 600)
        assert viewer.update() == [(0, 0, 800, 600, b"")]


@pytest.mark.parametrize("end", ["stop", "remove", "move"])
def test_the_display_ends_with_its_guest(boss: Api, lab: Cluster, end: str) -> None:
    with opened(boss) as viewer:
        if end == "stop":
            lab.guest(101).status = "stopped"
        elif end == "remove":
            lab.remove_guest(101)
        else:
            lab.guest(101).node = "pve2"
        ends(viewer)


def test_the_display_outlives_a_reset_and_not_a_reboot(boss: Api, lab: Cluster, clock: ManualClock) -> None:
    with opened(boss) as viewer:
        boss.start(f"{WEB}/status/reset")
        clock.advance(2)
        viewer.type("a")
        eventually(lambda: lab.keys_typed(101) == "a")
        boss.start(f"{WEB}/status/reboot")
        clock.advance(30)
        ends(viewer)
        assert lab.guest(101).is_up


# --- a real server behind ---


@contextmanager
def vnc_server(said: list[bytes], password: str | None = None) -> Iterator[tuple[str, int]]:
    """Speaks VNC for one client, and says its first words twice."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"RFB 003.008\n")
            said.append(client.recv(12))
            client.sendall(b"\x01\x02" if password else b"\x01\x01")
            said.append(client.recv(1))
            if password:
                client.sendall(b"sixteen letters!")
                assert client.recv(16) == vncauth.response(b"sixteen letters!", password)
            client.sendall(bytes(4))
            client.sendall(client.recv(100) * 2)
            said.append(client.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        thread.join(TIMEOUT)


@pytest.mark.parametrize(("password", "security"), [(None, b"\x01"), ("its own", b"\x02")])
def test_a_real_server_may_stand_behind(boss: Api, lab: Cluster, password: str | None, security: bytes) -> None:
    said: list[bytes] = []
    with vnc_server(said, password) as place:
        lab.guest(101).vnc_backend, lab.guest(101).vnc_password = place, password
        with Viewer(boss, WEB) as viewer:
            assert viewer.log_in() == 0
            viewer.websocket.send(b"\x01")
            assert viewer.receive(2) == b"\x01\x01"
            viewer.websocket.send(b"more")
    assert said == [b"RFB 003.008\n", security, b"more"]


# --- SPICE ---


def test_spice_is_for_those_who_have_it(boss: Api, lab: Cluster) -> None:
    assert boss.post(f"{WEB}/spiceproxy").reason == "no spice port"
    lab.guest(101).options["vga"] = "qxl"
    assert boss.status(101)["spice"] == 1
    settings = boss.post(f"{WEB}/spiceproxy", proxy="portal.example").json()["data"]
    assert (settings["type"], settings["proxy"]) == ("spice", "http://portal.example:3128")
    assert settings["ca"].startswith("-----BEGIN CERTIFICATE-----\\n")
    lab.guest(101).status = "stopped"
    assert boss.post(f"{WEB}/spiceproxy").reason == "VM 101 not running"
    assert boss.post(f"{BOX}/spiceproxy").json()["data"]["title"] == "CT 201 - box"
