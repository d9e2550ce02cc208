"""No clipboard passes through a console, from browser to display or back: a display gives one viewer's to all."""

import socketserver
import struct
import threading
from collections.abc import Iterator

import pytest

from accounts.models import User
from tests.labs import Lab
from tests.vms.console_client import VERSION, Portal, browser_of, key, permit, portal

__all__ = ["portal"]

pytestmark = pytest.mark.usefixtures("own_database")

FORMAT = b"\x20\x18\0\1" + b"\0\xff" * 3 + b"\x10\x08\0" + b"\0" * 3
BELL = b"\x02"


def cut(kind: int, text: bytes, *, extended: bool = False) -> bytes:
    return struct.pack(">Bxxxi", kind, -len(text) if extended else len(text)) + text


class Display(socketserver.BaseRequestHandler):
    """Without a password. It tells what is on its clipboard, in both ways, and rings."""

    def handle(self) -> None:
        for said, awaited in ((VERSION, 12), (b"\1\1", 1), (b"\0\0\0\0", 1)):
            self.request.sendall(said)
            self.request.recv(awaited)
        self.request.sendall(struct.pack(">HH", 64, 48) + FORMAT + struct.pack(">I", 4) + b"pc-1")
        self.request.sendall(cut(3, b"secret") + BELL + cut(3, b"\0\0\0\2secret", extended=True) + BELL)
        self.request.recv(1)


@pytest.fixture
def display() -> Iterator[tuple[str, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Display) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize("mode", ["control", "view"])
def test_what_the_display_copies_stays_there(
    portal: Portal, building_a: Lab, ana: User, display: tuple[str, int], mode: str
):
    building_a.pve.guest(102).vnc_backend = display
    of_ana, machine = browser_of(ana), building_a.assign(102, ana)
    viewer = portal.view(permit(of_ana, machine.pk, mode), of_ana)
    assert viewer.exactly(2) == BELL * 2


def test_what_the_browser_copies_stays_there_and_its_keys_arrive(portal: Portal, building_a: Lab, ana: User):
    of_ana, machine = browser_of(ana), building_a.assign(102, ana)
    viewer = portal.view(permit(of_ana, machine.pk), of_ana)
    viewer.send(cut(6, b"secret") + key(ord("h")) + cut(6, b"\0\0\0\2secret", extended=True) + key(ord("i")))
    assert viewer.sees_something()
    assert (building_a.pve.keys_typed(102), building_a.pve.text_pasted(102)) == ("hi", "")
