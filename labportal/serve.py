"""The web server and a worker for real use: started together, restarted when one fails, stopped together.

`bin/serve` runs this after its checks. Arguments that are not its own go to uvicorn.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from types import FrameType

logger = logging.getLogger("labportal.serve")

# Seconds between the polite signal and the other one: a worker finishes what it has begun with a cluster.
GRACE = 45

# So many failures of one program within so many seconds are no accident.
FAILURES, WITHIN = 5, 60

# The memory of a password's hash goes back at once: by itself glibc keeps it for each of many threads. It comes in huge
# pages: as 2,304 small ones it takes 5 ms of a hash's 22, as huge ones 2. That of the pictures of consoles stays, up to
# 2 MiB of it: to ask for the same pages again and again costs a quarter of the time.
MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "2097152",
    "MALLOC_ARENA_MAX": "2",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}

# The variable by which the web server's processes learn the addresses of proxies. People set FORWARDED_ALLOW_IPS.
PROXIES = "LABPORTAL_PROXIES"

UVICORN = [
    "-m", "uvicorn", "labportal.asgi:application", "--host", "127.0.0.1", "--port", "8000",
    "--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio", "--ws-per-message-deflate", "false",
    "--ws-max-size", "1048576", "--ws-ping-interval", "8", "--ws-ping-timeout", "10",
    "--timeout-graceful-shutdown", "5", "--no-server-header",
]  # fmt: skip


@dataclass
class Program:
    """A program with a session of its own, so that whatever it leaves behind can be found."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))

    def start(self) -> None:
        watchdog = ["-m", "labportal.parent_watchdog", str(os.getpid()), sys.executable]
        command = [sys.executable, *watchdog, *self.arguments]
        self.process = subprocess.Popen(command, start_new_session=True, env={**MEMORY, **os.environ})

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def signal(self, number: int) -> None:
        """To the program and all that it started: a web server that is killed leaves its processes behind."""
        if self.process:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def fails_too_often(self) -> bool:
        self.failures.append(time.monotonic())
        return len(self.failures) == FAILURES and self.failures[-1] - self.failures[0] < WITHIN


class Server:
    def __init__(self, programs: list[Program]) -> None:
        self.programs = programs
        self.stopping = False

    def run(self) -> int:
        """Until a signal, or until a program cannot be kept running. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        for program in self.programs:
            program.start()
        code = 0
        while not self.stopping and code == 0:
            code = self._look()
            time.sleep(0.3)
        self._end()
        return code

    def _look(self) -> int:
        for program in self.programs:
            if not program.has_ended():
                continue
            if program.fails_too_often():
                logger.error("The %s ended %d times within a minute. Its last lines say why.", program.name, FAILURES)
                return 1
            logger.error("The %s ended unexpectedly and is restarted.", program.name)
            program.signal(signal.SIGKILL)
            program.start()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _end(self) -> None:
        for program in self.programs:
            if not program.has_ended() and program.process:
                program.process.terminate()
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and not all(program.has_ended() for program in self.programs):
            time.sleep(0.1)
        for program in self.programs:
            program.signal(signal.SIGKILL)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(
        prog="bin/serve",
        description="Lab Portal for real use. Other arguments go to uvicorn, for instance --port 8080.",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=min(4, os.cpu_count() or 1),
        help="processes of the web server (default: %(default)s)",
    )
    parser.add_argument("--no-worker", action="store_true", help="the worker runs elsewhere: bin/manage worker")
    options, others = parser.parse_known_args()
    if any(word.startswith("--root-path") for word in others) or os.environ.get("UVICORN_ROOT_PATH"):
        parser.error("Lab Portal needs a host name of its own: it cannot be served below a path (--root-path).")
    os.environ[PROXIES] = _proxies(others)
    web = [*UVICORN, *_processes(options.processes), *others, "--no-proxy-headers"]
    programs = [Program("web server", web)]
    if not options.no_worker:
        programs.append(Program("worker", ["manage.py", "worker"]))
    sys.exit(Server(programs).run())


def _processes(number: int) -> list[str]:
    return ["--workers", str(number)] if number > 1 else []


def _proxies(others: list[str]) -> str:
    """The proxies that were named: they alone may say who the client is. `labportal.asgi` lets them."""
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--forwarded-allow-ips", default=os.environ.get("FORWARDED_ALLOW_IPS", ""))
    return str(named.parse_known_args(others)[0].forwarded_allow_ips)


if __name__ == "__main__":
    main()
