"""The demo leaves nothing behind, however it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.labportal.servers import ROOT, ended, get, offspring
from tests.waits import PATIENCE, line_of


@dataclass
class Demo:
    process: subprocess.Popen[str]
    address: str
    wanted_port: int

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1].strip("/"))


@pytest.fixture
def busy() -> Iterator[int]:
    """A port where somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def demo(busy: int, tmp_path: Path) -> Iterator[Demo]:
    """As it is when it says that it runs."""
    command = [sys.executable, "-m", "labportal.demo", "--port", str(busy)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            [address] = re.findall(r"http://\S+/", line_of(process, "http://", 120))
            yield Demo(process, address, busy)
        finally:
            process.kill()


def test_next_to_a_busy_port_the_demo_runs_on_the_next_free_one(demo: Demo):
    assert demo.wanted_port < demo.port < demo.wanted_port + 100
    assert "Log in" in get(f"{demo.address}accounts/login/").text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_stopped_leaves_no_process_and_no_folder(demo: Demo, tmp_path: Path, number: int):
    programs = offspring(demo.process.pid)
    assert (len(programs) >= 2, len(list(tmp_path.iterdir()))) == (True, 1)
    demo.process.send_signal(number)
    assert demo.process.wait(PATIENCE) == 0
    assert ended(programs, within=0)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_killed_leaves_no_process(demo: Demo):
    programs = offspring(demo.process.pid)
    demo.process.kill()
    assert ended(programs, within=PATIENCE)
