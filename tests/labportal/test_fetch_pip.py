"""A Python without pip gets the pinned one from the package index, and no other."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.labportal.portal_process import ROOT

WHEEL = "pip-26.3-py3-none-any.whl"
CONTENT = b"a wheel"
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index with one project and one file, and its address."""
    (tmp_path / "simple/pip").mkdir(parents=True)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / WHEEL).write_bytes(CONTENT)
    (tmp_path / "simple/pip/index.html").write_text(
        f'<a href="../../files/pip-9.0-py3-none-any.whl">old</a><a href="../../files/{WHEEL}#sha256=0">new</a>'
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


def fetched(folder: Path, checksum: str = CHECKSUM, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "into").mkdir()
    return subprocess.run(
        [sys.executable, "-I", "bin/_fetch_pip.py", WHEEL, checksum, str(folder / "into")],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_comes_from_the_index_that_the_environment_names(index: str, tmp_path: Path):
    assert fetched(tmp_path, PIP_INDEX_URL=index).returncode == 0
    assert (tmp_path / "into" / WHEEL).read_bytes() == CONTENT


def test_it_comes_from_the_index_that_pips_configuration_names(index: str, tmp_path: Path):
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(f"[global]\nindex-url = {index}/\n")
    assert fetched(tmp_path).returncode == 0
    assert (tmp_path / "into" / WHEEL).read_bytes() == CONTENT


def test_a_file_with_another_checksum_is_not_used(index: str, tmp_path: Path):
    done = fetched(tmp_path, hashlib.sha256(b"the tested one").hexdigest(), PIP_INDEX_URL=index)
    assert (done.returncode, "the checksum differs" in done.stderr) == (1, True)
    assert list((tmp_path / "into").iterdir()) == []


def test_an_index_without_it_is_named(index: str, tmp_path: Path):
    (tmp_path / "simple/pip/index.html").write_text("<a href='pip-9.0-py3-none-any.whl'>old</a>")
    done = fetched(tmp_path, PIP_INDEX_URL=index)
    assert (done.returncode, done.stderr) == (1, f"Could not fetch pip from 127.0.0.1: it does not offer {WHEEL}.\n")


def test_the_password_of_an_index_is_not_printed(tmp_path: Path):
    done = fetched(tmp_path, PIP_INDEX_URL="https://me:c4nary@127.0.0.1:9/simple")
    assert (done.returncode, "has a password in it" in done.stderr, "c4nary" in done.stderr) == (1, True, False)
