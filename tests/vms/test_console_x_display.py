"""A real X screen behind a console: it appears, and what is typed into a terminal there arrives."""

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.models import User
from tests.labs import Lab
from tests.vms.console_client import Portal, VncClient, browser_of, eventually, key, permit, portal
from tests.waits import PDEATHSIG, TIMEOUT

__all__ = ["portal"]

pytestmark = [
    pytest.mark.usefixtures("own_database"),
    pytest.mark.skipif(
        not (shutil.which("Xvnc") and shutil.which("xterm")),
        reason="needs Xvnc and xterm: apt install tigervnc-standalone-server xterm",
    ),
]

RETURN = 0xFF0D


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[tuple[tuple[str, int], Path]]:
    """Where the display is, and the file into which its terminal writes the first line that is typed."""
    said = tmp_path / "said"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    number = f":{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = ["Xvnc", number, "-rfbport", str(port), "-localhost", "-SecurityTypes", "None", "-AlwaysShared"]
    with subprocess.Popen([*PDEATHSIG, *command, "-geometry", "320x200", "-depth", "24", "-ac"], **quiet) as server:
        try:
            assert eventually(lambda: is_open(port), within=TIMEOUT)
            write = f"read line; echo $line > {said}; sleep 60"
            with subprocess.Popen(
                [*PDEATHSIG, "xterm", "-display", number, "-maximized", "-e", "sh", "-c", write], **quiet
            ):
                yield ("127.0.0.1", port), said
                server.terminate()
        finally:
            server.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def picture(viewer: VncClient) -> bytes:
    """The whole screen, in 32 bits and raw."""
    viewer.send(struct.pack(">BxHi", 2, 1, 0) + struct.pack(">BBHHHH", 3, 0, 0, 0, *viewer.size))
    pixels = bytearray(viewer.size[0] * viewer.size[1] * 4)
    kind, count = struct.unpack(">BxH", viewer.exactly(4))
    assert kind == 0
    for _ in range(count):
        x, y, width, height, encoding = struct.unpack(">HHHHi", viewer.exactly(12))
        assert encoding == 0
        for row in range(y, y + height):
            start = (row * viewer.size[0] + x) * 4
            pixels[start : start + width * 4] = viewer.exactly(width * 4)
    return bytes(pixels)


def test_a_real_screen_appears_and_takes_input(
    portal: Portal, building_a: Lab, ana: User, screen: tuple[tuple[str, int], Path]
):
    place, said = screen
    building_a.pve.guest(102).vnc_backend = place
    browser = browser_of(ana)
    viewer = portal.view(permit(browser, building_a.assign(102, ana).pk), browser)
    assert viewer.size == (320, 200)
    assert eventually(lambda: len(set(picture(viewer)[::4])) > 1, within=TIMEOUT), (
        "a screen of one colour shows nothing"
    )
    assert eventually(lambda: typed(viewer, said), within=TIMEOUT)
    assert "hi" in said.read_text()
    print(f"\na real X screen: {viewer.size}, its terminal heard {said.read_text().strip()!r}")
    viewer.close()
    assert eventually(lambda: building_a.pve.consoles_open() == 0)


def typed(viewer: VncClient, said: Path) -> bool:
    """The terminal may not listen yet, so it is typed again."""
    viewer.send(b"".join(map(key, [*b"hi", RETURN])))
    return eventually(said.exists, within=0.5)
