"""Programs of the demo: started under a parent watchdog, their lines shown with a name, stopped together."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE = 10  # seconds between the polite signal and the other one


class Supervisor:
    """Owns the programs. Use it as a context manager: leaving it leaves no process behind."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log.open("a", encoding="utf-8")
        self._writing = threading.Lock()
        self._programs: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *args: object) -> None:
        for program in self._programs.values():
            if program.poll() is None:
                program.terminate()
        deadline = time.monotonic() + GRACE
        for program in self._programs.values():
            try:
                program.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self._log.close()

    def run(self, *arguments: str, text: str = "") -> None:
        """Run a program to its end; its output is shown if it fails, which ends the demo."""
        done = subprocess.run(
            [sys.executable, *arguments], input=text, text=True, capture_output=True, cwd=ROOT,
            env=self._environment, check=False,
        )  # fmt: skip
        self._log.write(done.stdout + done.stderr)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    def start(self, name: str, *arguments: str, listener: socket.socket | None = None) -> None:
        """With a listener, the program finds it under the same number."""
        watchdog = ["-m", "labportal.parent_watchdog", str(os.getpid()), sys.executable]
        program = subprocess.Popen(
            [sys.executable, *watchdog, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, cwd=ROOT, env=self._environment, start_new_session=True,
            pass_fds=[listener.fileno()] if listener else [],
        )  # fmt: skip
        self._programs[name] = program
        if program.stdout:
            threading.Thread(target=self._relay, args=(name, program.stdout), daemon=True).start()

    def _relay(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            with self._writing:
                if not self._log.closed:
                    self._log.write(f"{name:6} {line}")
                    self._log.flush()

    def ended(self) -> str | None:
        """The name of a program that ended although it should run."""
        return next((name for name, program in self._programs.items() if program.poll() is not None), None)
