"""The demo leaves nothing behind, however it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labportal.demo import __main__ as demo_program
from labportal.demo import folder, template
from labportal.demo.__main__ import listen
from tests.labportal.portal_process import ROOT, ended, get, offspring
from tests.waits import PDEATHSIG, TIMEOUT, read_line_with


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
    command = [*PDEATHSIG, sys.executable, "-m", "labportal.demo", "--port", str(busy)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            [address] = re.findall(r"http://\S+/", read_line_with(process, "http://", 120))
            yield Demo(process, address, busy)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_stopped_leaves_no_process_and_no_folder(demo: Demo, tmp_path: Path, number: int):
    """It runs on the next port that is free, beside a busy one."""
    assert demo.wanted_port < demo.port < demo.wanted_port + 100
    assert "Log in" in get(f"{demo.address}accounts/login/").text
    programs = offspring(demo.process.pid)
    assert (len(programs) >= 2, len(list(tmp_path.iterdir()))) == (True, 1)
    demo.process.send_signal(number)
    assert demo.process.wait(TIMEOUT) == 0
    assert ended(programs, within=0)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_demo_leaves_is_cleared_by_the_next_and_a_living_ones_is_not(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    programs = offspring(demo.process.pid)
    folder.clear_what_dead_ones_left()
    [left] = tmp_path.iterdir()
    assert (left / "clusters.json").exists()
    demo.process.kill()
    demo.process.wait(TIMEOUT)
    assert ended(programs, within=TIMEOUT)
    with folder.temporary() as mine:
        assert list(tmp_path.iterdir()) == [mine]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_no_demo_has_locked_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"{folder.PREFIX}begins").mkdir()
    folder.clear_what_dead_ones_left()
    assert [path.name for path in tmp_path.iterdir()] == [f"{folder.PREFIX}begins"]


def test_what_another_user_put_there_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """To open a pipe for reading waits for somebody who writes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pipe = tmp_path / f"{folder.PREFIX}trap" / folder.LOCK
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    clearing = threading.Thread(target=folder.clear_what_dead_ones_left)
    clearing.start()
    clearing.join(TIMEOUT / 10)
    is_held_up = clearing.is_alive()
    if is_held_up:
        os.close(os.open(pipe, os.O_WRONLY))
        clearing.join(TIMEOUT)
    assert not is_held_up


def test_two_demos_never_have_the_same_port(busy: int):
    with listen(busy) as first, listen(busy) as second:
        ports = {busy, first.getsockname()[1], second.getsockname()[1]}
        assert len(ports) == 3
        with pytest.raises(OSError, match="in use"):
            socket.create_server(first.getsockname())


class Silent:
    """A web server that says nothing. The second look finds it ended."""

    looked = 0

    def ended(self) -> str | None:
        self.looked += 1
        return "web" if self.looked > 1 else None


def test_a_socket_that_is_open_is_no_portal_yet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo_program, "ANSWER", 0.2)
    with listen(20000) as mine, pytest.raises(SystemExit, match="did not start"):
        demo_program.wait_for(f"http://127.0.0.1:{mine.getsockname()[1]}/", Silent())  # type: ignore[arg-type]


def test_a_migrated_database_is_kept_for_the_same_code_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(template, "SHELF", tmp_path / "shelf")
    monkeypatch.setattr(template, "call_command", lambda *words, **options: made.append(words))
    monkeypatch.setattr(template, "_keep", lambda path: (path.parent.mkdir(exist_ok=True), path.write_text("template")))
    made: list[object] = []
    (tmp_path / "db").touch()
    assert [template.migrate(tmp_path / "db") for _ in range(2)] == [False, True]
    assert ((tmp_path / "db").read_text(), len(made)) == ("template", 1)
    monkeypatch.setattr(template, "checksum", lambda: "of other code")
    assert (template.migrate(tmp_path / "db"), len(made)) == (False, 2)
