"""Displays of guests, as a VNC client meets them; a real server behind one; SPICE."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pvesim import Cluster, ManualClock
from pvesim.console import vncauth
from tests.waits import TIMEOUT, wait_until

from .conftest import Api
from .console_helpers import BOX, WEB, ends, opened
from .vnc_client import DELETE, RETURN, SHIFT, Viewer, proxy

CAPS_LOCK, DEAD_ACUTE = 0xFFE5, 0xFE51

# --- the display ---


def test_a_wrong_password_and_a_forgotten_parameter(boss: Api) -> None:
    with Viewer(boss, WEB) as viewer:
        assert viewer.log_in("not-that") == 1
        assert viewer.receive(26)[4:] == b"Authentication failed\0"
        ends(viewer)
    with Viewer(boss, WEB, proxy(boss, WEB, websocket=0)) as viewer:
        viewer.websocket.send(b"RFB 003.008\n")
        assert viewer.receive(14)[12:] == b"\x01\x13"


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
        wait_until(lambda: lab.keys_typed(101) == "Hi\n[Del]")
        assert lab.key_events(101)[:2] == [(ord("H"), True), (ord("H"), False)]
        assert lab.consoles_open(101) == lab.consoles_open() == 2
    wait_until(lambda: lab.consoles_open() == 0)
    assert (lab.consoles_opened(101), lab.consoles_opened(201)) == (2, 0)


def test_keys_have_codes_caps_lock_a_light_and_accents_their_letter(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        viewer.send(">BxHii", 2, 2, -258, -261)
        assert viewer.receive(16)[12:] == struct.pack(">i", -258)
        assert viewer.receive(17)[12:] == struct.pack(">iB", -261, 0)
        for keysym, code in ((CAPS_LOCK, 0x3A), (DEAD_ACUTE, 0x28), (ord("a"), 0x1E)):
            for down in (True, False):
                viewer.send(">BBHII", 255, 0, down, keysym, code)
        assert viewer.receive(17)[16:] == b"\x04"
        wait_until(lambda: lab.keys_typed(101) == "á")


def test_a_paused_guest_misses_what_is_typed(boss: Api, lab: Cluster) -> None:
    with opened(boss) as viewer:
        lab.guest(101).status = "paused"
        viewer.type("a")
        viewer.ask(incremental=False)
        viewer.update()
        lab.guest(101).status = "running"
        viewer.type("b")
        wait_until(lambda: lab.keys_typed(101) == "b")


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
        wait_until(lambda: lab.keys_typed(101) == "a")
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
