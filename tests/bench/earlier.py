"""An earlier build of the product in a folder of its own, and what its own benchmarks say: `--against COMMIT`."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waits import TIMEOUT

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1800  # seconds that one of its benchmarks may take
FIGURE = re.compile(
    r"^(?P<name>\S.*?)(?: {2,}(?:-|[\d.]+(?: [A-Za-z]+)?))? +(?P<value>[\d.]+(?: [A-Za-z]+)?) +(?:<=|==) "
    r"|^  (?P<told>\S.*?)  +(?P<text>\S.*)"
)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="labportal-earlier-") as folder:
        place = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", place, commit)
        try:
            yield place
        finally:
            _git("worktree", "remove", "--force", place)


def figures(commit: str, names: Iterable[str]) -> dict[str, str]:
    """By the name of each figure, as this build prints them. It has its own goals, which mean nothing here."""
    found: dict[str, str] = {}
    with checked_out(commit) as tree:
        for name in names:
            print(f"{name} at {commit} …", file=sys.stderr, flush=True)
            ran = subprocess.run(
                [sys.executable, "-m", "tests.bench", name],
                cwd=tree, check=False, stdout=subprocess.PIPE, text=True, timeout=LONGEST,
            )  # fmt: skip
            found |= parsed(ran.stdout)
    return found


def parsed(printed: str) -> dict[str, str]:
    matches = filter(None, map(FIGURE.match, printed.splitlines()))
    return {
        one["name"] or one["told"]: one["value"] or re.split(r"  \(|   before: ", one["text"])[0] for one in matches
    }


def _git(*words: object) -> None:
    subprocess.run(["git", *map(str, words)], cwd=ROOT, check=True, timeout=TIMEOUT)
