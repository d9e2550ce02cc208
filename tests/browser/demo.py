"""The demo as a test double of a whole installation."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.waits import PDEATHSIG, read_line_with, read_until, stop_process

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Demo:
    address: str
    passwords: dict[str, str]
    keyboard: IO[str]
    process: "subprocess.Popen[str]"

    def type(self, line: str) -> None:
        """At the terminal from which it was started."""
        self.keyboard.write(f"{line}\n")
        self.keyboard.flush()

    def ask(self, line: str, words: str) -> str:
        """Type a line, and read what is printed up to the one with these words. Returns that."""
        self.type(line)
        return read_line_with(self.process, words).strip()


@contextmanager
def running(first_port: int = 8100) -> Iterator[Demo]:
    """Start the demo, read address and logins from what it prints, and stop it at the end."""
    command = [*PDEATHSIG, sys.executable, "-m", "labportal.demo", "--port", str(first_port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        printed = read_until(process, "Ctrl-C", 120)
        address = re.search(r"http://\S+/", printed)
        logins = re.findall(r"^    (\w+) +([a-z]+-[a-z]+-\d+)$", printed, re.MULTILINE)
        assert address
        assert process.stdin
        yield Demo(address[0], dict(logins), process.stdin, process)
    finally:
        stop_process(process)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
