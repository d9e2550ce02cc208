"""Tests end: whatever a process does not say, and whatever hangs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.labportal.portal_process import ended, offspring
from tests.processes import ROOT, begun
from tests.wait_lint import unlimited
from tests.waits import PDEATHSIG, TIMEOUT, read_line_with, read_until, stop_process, wait_until

SOON = 0.3
SLEEP = "import time; time.sleep(600)"


@contextmanager
def program(code: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE) as started:
        try:
            yield started
        finally:
            started.kill()


def test_a_process_that_says_nothing_is_not_waited_for_any_longer():
    with program(SLEEP) as silent, pytest.raises(AssertionError, match="in time"):
        read_line_with(silent, "ready", SOON)


def test_nor_is_one_that_stops_in_the_middle_of_a_line():
    with program(f"print('first'); print('rea', end='', flush=True); {SLEEP}") as halting:
        read_line_with(halting, "first")
        with pytest.raises(AssertionError, match="in time than this:\nrea"):
            read_line_with(halting, "ready", SOON)


def test_one_that_talks_of_other_things_has_its_words_told():
    with program(f"print('up\\nbusy', flush=True); {SLEEP}") as talking:
        read_line_with(talking, "up")
        with pytest.raises(AssertionError, match="busy"):
            read_line_with(talking, "ready", SOON)


def test_one_that_ends_has_its_last_words_told():
    with program("print('no database')") as ended, pytest.raises(AssertionError, match=r"(?s)ended .*no database"):
        read_line_with(ended, "ready")


def test_what_was_not_asked_for_stays_for_the_next_who_reads():
    with program("print('one'); print('two'); print('three')") as talking:
        assert read_until(talking, "two") == "one\ntwo\n"
        assert talking.communicate(timeout=10)[0] == b"three\n"


def test_one_that_does_not_stop_is_killed():
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    with program(f"{deaf} {SLEEP}") as started:
        read_line_with(started, "deaf")
        assert stop_process(started, SOON) == -9


def test_what_a_command_says_is_there_at_once():
    """Into a pipe, and without PYTHONUNBUFFERED."""
    said = "import runpy, sys; sys.argv[:] = ['manage.py', 'version']; runpy.run_path('manage.py', run_name='__main__')"
    with begun("-c", f"{said}; {SLEEP}") as command:
        assert read_line_with(command, "").strip()


HANGS = f"""
def test_before(): pass
def test_that_hangs(): {SLEEP}
def test_after(): pass
"""


def test_a_test_that_hangs_fails_by_its_name_and_the_next_one_is_run(tmp_path: Path):
    (tmp_path / "test_planted.py").write_text(HANGS)
    alone = ["-p", "no:django", "-p", "no:hypothesispytest", "-W", "ignore::pytest.PytestConfigWarning"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", *alone, "-o", "timeout=1", "test_planted.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "::test_that_hangs - Failed" in done.stdout
    assert "Timeout (>1.0s)" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_these_tests_are_run_with_such_a_limit(pytestconfig: pytest.Config):
    assert 0 < float(pytestconfig.getini("timeout")) < float(pytestconfig.getini("faulthandler_timeout"))
    assert pytestconfig.getini("faulthandler_exit_on_timeout")


@pytest.mark.parametrize(
    "line",
    [
        "program.stdout.readline()", "program.wait()", "thread.join()", "future.result()", "program.communicate()",
        "subprocess.run(['x'], check=True)", "for line in program.stdout: pass",
        "for line in program.stdout or (): pass", "said = [line for line in program.stderr]",
        "socket.create_connection(('::1', 1))", "websocket.recv()",
    ],
)  # fmt: skip
def test_a_wait_without_a_deadline_is_found(line: str):
    assert [number for number, _ in unlimited(f"\n{line}\n")] == [2]


@pytest.mark.parametrize(
    "line",
    [
        "program.wait(5)", "event.wait(timeout=5)", "', '.join(words)", "subprocess.run(['x'], timeout=5)",
        "for line in done.stdout.splitlines(): pass", "thread.join()  # ends: its event was set",
    ],
)  # fmt: skip
def test_one_with_a_deadline_is_none(line: str):
    assert list(unlimited(line)) == []


def test_busy_processors_are_left_alone_when_the_tests_are_killed():
    burn = ". bin/_setup; . bin/_busy; keep_busy; echo burning; exec sleep 600"
    with subprocess.Popen(["sh", "-c", burn, "bin/test"], cwd=ROOT, stdout=subprocess.PIPE) as tests:
        read_line_with(tests, "burning")
        burners = offspring(tests.pid)
        tests.kill()
    assert len(burners) == os.sysconf("SC_NPROCESSORS_ONLN")
    assert ended(burners, within=TIMEOUT)


STARTER = f"""
import subprocess, time
from tests.waits import PDEATHSIG
subprocess.Popen([*PDEATHSIG, "sleep", "600"])
print("begun", flush=True)
{SLEEP}
"""


@pytest.mark.skipif(not PDEATHSIG, reason="allowed: needs setpriv (apt install util-linux)")
def test_what_a_test_started_ends_with_the_tests_when_these_are_killed():
    with begun("-c", STARTER) as tests:
        read_line_with(tests, "begun")
        (started,) = offspring(tests.pid)
        wait_until(lambda: Path(f"/proc/{started}/comm").read_text() == "sleep\n")
        tests.kill()
    assert ended({started}, within=TIMEOUT)
