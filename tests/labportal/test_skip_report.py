"""bin/test says what it did not try, and how to have it."""

import subprocess
import sys
from pathlib import Path

from tests.labportal.portal_process import ROOT

TESTS = """
import pytest

@pytest.fixture
def window():
    pytest.skip("needs Chromium: apt install chromium")

@pytest.mark.parametrize("number", range(3))
def test_a_page(window, number): pass

@pytest.mark.skipif(True, reason="allowed: needs Redis: bin/test --redis")
def test_a_job(): pass

def test_that_fails(): assert False
"""


def printed(folder: Path, tests: str) -> list[str]:
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "tests.skip_report", "-p", "no:cacheprovider", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, "--rootdir", folder, folder], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.splitlines()


def test_the_last_lines_say_what_was_not_tried_and_how_to_have_it(tmp_path: Path):
    *_, failed, title, pages, jobs, closing = printed(tmp_path, TESTS)
    assert failed.startswith("FAILED")
    assert "tests not tried here" in title
    assert pages == "    3  needs Chromium: apt install chromium"
    assert jobs == "    1  needs Redis: bin/test --redis"
    assert "1 failed, 4 skipped in" in closing


def test_when_everything_was_tried_nothing_is_said(tmp_path: Path):
    said = printed(tmp_path, "def test_it(): pass\n")
    assert "1 passed in" in said[-1]
    assert not any("not tried" in line for line in said)
