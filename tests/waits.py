"""Processes that tests start: waited for no longer than a deadline, also when they say nothing, and left by nobody."""

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

# Before a command: it ends with its starter, also when that is killed.
PDEATHSIG = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
# Protects from a hang and measures nothing: far more than a busy machine needs.
TIMEOUT = 60.0


def read_until(program: "subprocess.Popen[Any]", words: str, seconds: float = TIMEOUT) -> str:
    """What it says up to the line with these words. Fails when it ends without them, or does not say them in time."""
    ends, said = time.monotonic() + seconds, ""
    while line := _line(program, ends, said):
        said += line
        if words in line:
            return said
    raise AssertionError(f"It ended and never said {words!r}:\n{said}")


def read_line_with(program: "subprocess.Popen[Any]", words: str, seconds: float = TIMEOUT) -> str:
    """The line with these words, waited for like that."""
    return read_until(program, words, seconds).splitlines(keepends=True)[-1]


def _line(program: "subprocess.Popen[Any]", ends: float, before: str) -> str:
    """Byte by byte, past any buffer: poll() knows of what is in the pipe alone, and the rest stays there for others."""
    assert program.stdout is not None
    pipe, said = program.stdout.fileno(), bytearray()
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while not said.endswith(b"\n"):
        if not waiting.poll(max(0.0, ends - time.monotonic()) * 1000):
            raise AssertionError(f"It said no more in time than this:\n{before}{said.decode()}")
        if not (byte := os.read(pipe, 1)):
            break
        said += byte
    return said.decode()


def wait_until(fact: Callable[[], object], seconds: float = TIMEOUT) -> None:
    """Wait for it to be true. Fails when that does not come in time."""
    ends = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < ends, "What was waited for did not come."
        time.sleep(0.01)


def stop_process(program: "subprocess.Popen[Any]", seconds: float = TIMEOUT) -> int:
    """Ask it to end, and kill it when it does not. Returns its exit code."""
    program.terminate()
    try:
        return program.wait(seconds)
    except subprocess.TimeoutExpired:
        program.kill()
        return program.wait(TIMEOUT)
