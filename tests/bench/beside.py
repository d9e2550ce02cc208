"""What pages cost beside an earlier build of the product, in one run: `bin/bench beside --against COMMIT`.

The earlier build is checked out into a folder of its own. A process in each tree measures the same pages in turns.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import earlier, report
from tests.waits import TIMEOUT, read_line_with

ROUNDS, PATIENCE = 9, 300
PROBE = Path(__file__).with_name("beside_pages.py")

# At most so much of what the earlier build takes.
GOALS = {
    "list of 50": 0.4,
    "unchanged poll, 50 machines": 0.35,
    "dashboard of 100": 0.25,
    "unchanged poll, dashboard of 100": 0.35,
}


def run() -> None:
    commit = os.environ.get("BENCH_AGAINST")
    if not commit:
        report.tell("nothing measured", "say which earlier build: --against COMMIT")
        return
    with earlier.checked_out(commit) as tree, _probe(tree) as old, _probe(earlier.ROOT) as new:
        known = json.loads(_line(old))
        for name in [name for name in json.loads(_line(new)) if name in known]:
            _ask(new, name), _ask(old, name)  # the first time is another one
            pairs = [(_ask(new, name), _ask(old, name)) for _ in range(ROUNDS)]
            ratios = [mine / theirs for mine, theirs in pairs]
            report.goal(name, statistics.median(ratios), GOALS[name], best=min(ratios))
            now, before = (statistics.median(times) for times in zip(*pairs, strict=True))
            report.tell("", f"{now:.1f} ms, before {before:.1f} ms")


@contextmanager
def _probe(tree: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, PROBE], cwd=tree, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.communicate(timeout=TIMEOUT)


def _ask(process: "subprocess.Popen[str]", name: str) -> float:
    if process.stdin is None:
        raise RuntimeError("The process has no input.")
    print(name, file=process.stdin, flush=True)
    return float(_line(process))


def _line(process: "subprocess.Popen[str]") -> str:
    return read_line_with(process, "", PATIENCE)
