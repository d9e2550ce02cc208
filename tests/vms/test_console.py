"""Consoles from a browser's websocket to a simulated display, over real TLS."""

import socket as socketlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.models import Cluster
from clusters.proxmox import vnc
from tests.bench import displays as bench_displays
from tests.labs import Lab
from tests.vms.console_client import Portal, browser_of, end_of, eventually, key, permit, portal
from vms.console import relay, websocket
from vms.models import Assignment, ConsoleSession, Operation, VirtualMachine

__all__ = ["portal"]

pytestmark = pytest.mark.usefixtures("own_database")

Code = Callable[[], int]


@pytest.fixture
def running(building_a: Lab, ana: User) -> VirtualMachine:
    return building_a.assign(102, ana)


@pytest.fixture
def of_ana(ana: User) -> Client:
    return browser_of(ana)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked ten times a second who may stay."""
    monkeypatch.setattr(websocket, "CHECK_EVERY", 0.1)


def test_what_is_typed_arrives_and_the_display_is_seen(
    portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab
):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    assert viewer.websocket.subprotocol == "binary"
    assert viewer.types == b"\x01", "no password reaches a browser"
    assert viewer.name == "QEMU (net-02)"
    viewer.send(key(ord("h")) + key(ord("i")))
    assert viewer.sees_something()
    assert building_a.pve.keys_typed(102) == "hi"


def test_a_container_has_one_too(portal: Portal, building_a: Lab, of_ana: Client, ana: User):
    building_a.pve.guest(103).status = "running"
    building_a.sync()
    viewer = portal.view(permit(of_ana, building_a.assign(103, ana).pk), of_ana)
    assert viewer.sees_something()


def test_an_end_is_recorded(portal: Portal, running: VirtualMachine, of_ana: Client):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    assert ConsoleSession.objects.get().user_name == "ana"
    viewer.close()
    assert eventually(lambda: not ConsoleSession.objects.exists())
    assert Operation.objects.get().outcome == "Control. Ended: closed by the user."


def test_who_may_only_look_types_nothing(portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab):
    viewer = portal.view(permit(of_ana, running.pk, "view"), of_ana)
    viewer.send(key(ord("x")) * 10 + b"\x06\0\0\0\0\0\0\x03abc")
    assert viewer.sees_something()
    assert building_a.pve.key_events(102) == []
    assert building_a.pve.text_pasted(102) == ""
    other = portal.view(permit(of_ana, running.pk, "control"), of_ana)
    other.send(key(ord("y")))
    assert other.sees_something()
    assert building_a.pve.keys_typed(102) == "y"


# Who is turned away, and shown out. The rest is in `test_console_refusals`.


@pytest.mark.parametrize("path", ["/ws/console/x/", "/ws/other/", "/ws/console/" + "a" * 43 + "/x"])
def test_what_is_no_console_is_not_there(portal: Portal, running: VirtualMachine, of_ana: Client, path: str):
    assert end_of(portal.open(path, of_ana)) == 4404


def test_whose_machine_is_taken_while_he_looks_is_shown_out(
    portal: Portal, running: VirtualMachine, of_ana: Client, watchful: None
):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    assert viewer.sees_something()
    Assignment.objects.live().end()
    assert end_of(viewer.websocket) == 4410


@pytest.mark.parametrize("leave", ["logout", "deactivation"])
def test_whose_login_ends_is_shown_out(
    portal: Portal, running: VirtualMachine, of_ana: Client, watchful: None, leave: str
):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    assert viewer.sees_something()
    if leave == "logout":
        of_ana.post(reverse("logout"))
    else:
        User.objects.update(is_active=False)
    assert end_of(viewer.websocket) == 4401


def test_a_process_that_is_full_says_so(portal: Portal, running: VirtualMachine, of_ana: Client, settings: Any):
    path = permit(of_ana, running.pk)
    settings.CONSOLES_PER_PROCESS = 0
    assert end_of(portal.open(path, of_ana)) == 4429


# What goes wrong at the cluster.


def test_a_machine_that_is_off_by_now(portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab):
    path = permit(of_ana, running.pk)
    building_a.pve.guest(102).status = "stopped"
    assert end_of(portal.open(path, of_ana)) == 4409


def test_a_machine_that_is_switched_off_meanwhile(
    portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab
):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    building_a.pve.guest(102).status = "stopped"
    assert end_of(viewer.websocket) == 4409


def test_a_display_that_breaks_off(portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab):
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    building_a.pve.drop_consoles(102)
    assert end_of(viewer.websocket) == 4408


def test_a_certificate_that_is_another_one_is_told_nothing(
    portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab
):
    path = permit(of_ana, running.pk)
    Cluster.objects.update(fingerprint=":".join(["AB"] * 32))
    assert end_of(portal.open(path, of_ana)) == 4408
    assert building_a.pve.count("POST", "vncproxy$") == 0


def test_a_display_that_says_nothing_any_more_is_noticed(
    portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vnc, "LOOK_EVERY", 0.2)
    viewer = portal.view(permit(of_ana, running.pk), of_ana)
    building_a.pve.consoles.is_stalled = True
    assert end_of(viewer.websocket) == 4408


def frame(data: bytes) -> bytes:
    """As a browser sends it, masked with zeros."""
    return bytes([0x82, 0x80 | len(data)]) + b"\0\0\0\0" + data


def silent_browser(portal: Portal, path: str, client: Client) -> socketlib.socket:
    """One that greets, asks for pictures, and is never heard of again: it takes nothing and answers no ping."""
    sock = socketlib.create_connection(("127.0.0.1", portal.port))
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nOrigin: {portal.origin}\r\n"
        f"Cookie: sessionid={client.cookies['sessionid'].value}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b" 101 " in sock.recv(15)
    sock.sendall(frame(b"RFB 003.008\n") + frame(b"\x01") + frame(b"\0"))
    return sock


@pytest.mark.parametrize("portal", [{"ws_ping_interval": 0.2, "ws_ping_timeout": 0.2}], indirect=True)
def test_a_browser_that_is_gone_without_a_word_is_noticed(portal: Portal, running: VirtualMachine, of_ana: Client):
    with silent_browser(portal, permit(of_ana, running.pk), of_ana):
        assert eventually(ConsoleSession.objects.exists)
        assert eventually(lambda: not ConsoleSession.objects.exists())


@pytest.mark.parametrize("portal", [{"ws_ping_interval": None}], indirect=True)
def test_a_browser_that_takes_no_pictures_is_gone(
    portal: Portal, running: VirtualMachine, of_ana: Client, building_a: Lab, monkeypatch: pytest.MonkeyPatch
):
    building_a.pve.guest(102).vnc_backend = bench_displays.stand()
    monkeypatch.setattr(relay, "SEND_TIMEOUT", 0.5)
    with silent_browser(portal, permit(of_ana, running.pk), of_ana) as sock:
        sock.sendall(frame(bench_displays.ask(64 * 1024, 1000)))
        assert eventually(ConsoleSession.objects.exists)
        assert eventually(lambda: not ConsoleSession.objects.exists())
    assert "the browser disconnected" in Operation.objects.get().outcome
