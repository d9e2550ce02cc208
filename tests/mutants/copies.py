"""Trees that are broken one after the other, each with a pytest that waits in it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants.hot_swap import DESCRIPTOR, Outcome, Request

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/bin/python"
PYTEST = ("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", "not browser")


Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def listed() -> list[str]:
    answer = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [name for name in answer.stdout.split("\0") if name and (ROOT / name).is_file()]


class Copy:
    def __init__(self, tree: Path, tests: list[str]) -> None:
        self.tree = tree
        self.names = listed()
        for name in self.names:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
        self.pipe, theirs = Pipe()
        with theirs:
            self.pytest = subprocess.Popen(
                [PYTHON, *PYTEST, "-s", "-p", "tests.mutants.pytest_server", "tests/mutants/warm_up.py", *tests],
                cwd=tree,
                env=surroundings() | {DESCRIPTOR: str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=(tree / "pytest.log").open("wb"),
                stderr=subprocess.STDOUT,
            )

    def tests(self) -> list[str]:
        """All that pytest found; asked for once."""
        try:
            found: list[str] = self.pipe.recv()  # ends: pytest ends, or says what it found
        except EOFError:
            raise SystemExit((self.tree / "pytest.log").read_text(errors="replace")) from None
        return found

    def ask(self, request: Request) -> list[Outcome]:
        self.pipe.send(request)
        outcomes: list[Outcome] = self.pipe.recv()  # ends: each test has a limit over there
        return outcomes

    def run(self, *arguments: str, limit: float) -> int:
        """Exit code of the project's Python in this tree; -1: it took too long."""
        with subprocess.Popen(
            [PYTHON, *arguments],
            cwd=self.tree,
            env=surroundings(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as program:
            try:
                return program.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, 9)
                return -1

    def end(self) -> None:
        self.pipe.close()
        self.pytest.terminate()
        self.pytest.wait(timeout=60)


def spread(copies: list[Copy], work: Callable[[Copy, Thing], Answer], things: Iterable[Thing]) -> Iterator[Answer]:
    """Do the work on all of these, each in a copy that is free, and tell the answers in order."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(thing: Thing) -> Answer:
        copy = free.get()
        try:
            return work(copy, thing)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(one, things)


def surroundings() -> dict[str, str]:
    return os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "tests.settings"}
