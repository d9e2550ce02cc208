"""Break one place at a time, in a copy, and see whether a test notices: bin/mutants [--count N] [--seed N] [module]"""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.mutants.draw import Mutant, draw

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/bin/python"
TARGETS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "targets.toml").read_text(encoding="utf-8"))
LIMIT = 600  # seconds that the tests of one mutant may take; a loop without an end is noticed, too
MOST_SURVIVING = 0.05
LOADS = "import django, importlib, sys; django.setup(); importlib.import_module(sys.argv[1])"


@dataclass(frozen=True)
class Result:
    mutant: Mutant
    outcome: str  # killed, survived, equivalent, or unusable: it cannot be imported
    detail: str = ""


class Copies:
    """Trees that are broken one after the other; each is taken by one mutant at a time."""

    def __init__(self, folder: Path, number: int) -> None:
        self.free: SimpleQueue[Path] = SimpleQueue()
        for count in range(number):
            self.free.put(self._copy(folder / f"tree{count}"))

    def _copy(self, tree: Path) -> Path:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        return tree


def run(tree: Path, *arguments: str, limit: int = LIMIT) -> tuple[int, str]:
    """Exit code (-1: too long) and output of the project's Python in this tree."""
    surroundings = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        [PYTHON, *arguments],
        cwd=tree,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as program:
        try:
            output, _ = program.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, 9)
            return -1, "took too long"
    return program.returncode, output


def judge(mutant: Mutant, copies: Copies) -> Result:
    tree = copies.free.get()
    path = tree / mutant.module
    source = path.read_text(encoding="utf-8")
    try:
        code = mutant.code(source)
        if code is None or code == source:
            return Result(mutant, "unusable", "changes nothing")
        if reason := equivalent(mutant, mutant.diff(source)):
            return Result(mutant, "equivalent", reason)
        path.write_text(code, encoding="utf-8")
        if run(tree, "-c", LOADS, mutant.module.removesuffix(".py").replace("/", "."), limit=60)[0]:
            return Result(mutant, "unusable", "cannot be imported")
        tests = TARGETS[mutant.module]["tests"]
        status, output = run(
            tree, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", "-m", "not browser", *tests
        )
        return Result(mutant, "survived" if status == 0 else "killed", _last_line(output))
    finally:
        path.write_text(source, encoding="utf-8")
        copies.free.put(tree)


def equivalent(mutant: Mutant, diff: list[str]) -> str:
    """The argued reason, if this change is one that nobody could see."""
    before = " ".join(line[1:].strip() for line in diff if line[0] == "-")
    after = " ".join(line[1:].strip() for line in diff if line[0] == "+")
    for entry in TARGETS[mutant.module].get("equivalent", ()):
        if entry["line"] in before and entry["to"] in after:
            return str(entry["why"])
    return ""


def _last_line(output: str) -> str:
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (failed or output.strip().splitlines() or [""])[-1][:160]


def tell(result: Result) -> None:
    mutant = result.mutant
    print(f"{result.outcome:10} {mutant.module}:{mutant.line} {mutant.operator.removeprefix('core/')}  {result.detail}")
    if result.outcome in {"survived", "equivalent"}:
        for line in mutant.diff((ROOT / mutant.module).read_text(encoding="utf-8")):
            print(f"    {line}")
    sys.stdout.flush()


def sound(copies: Copies, modules: list[str]) -> bool:
    """Whether the tests pass where nothing is broken; otherwise everything would seem to be noticed."""
    tests = sorted({test for module in modules for test in TARGETS[module]["tests"]})
    tree = copies.free.get()
    status, output = run(
        tree, "-m", "pytest", "-x", "-q", "-n2", "-p", "no:cacheprovider", "-m", "not browser", *tests, limit=3600
    )
    copies.free.put(tree)
    print(f"Unbroken: {_last_line(output)}", flush=True)
    return status == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TARGETS)}; without one, all of them")
    parser.add_argument("--count", type=int, default=200, help="how many mutants are tried (200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="which are drawn; printed")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--list", action="store_true", help="say how many mutants each module has, and try none")
    options = parser.parse_args()
    modules = options.modules or list(TARGETS)
    if unknown := set(modules) - set(TARGETS):
        parser.error(f"{', '.join(sorted(unknown))}: not in tests/mutants/targets.toml")
    drawn = draw(ROOT, modules, options.seed)
    print(f"Seed {options.seed}: {options.count} of {len(drawn)} mutants of {len(modules)} modules", flush=True)
    if options.list:
        for module in modules:
            print(f"{sum(mutant.module == module for mutant in drawn):5} {module}")
        return 0
    with tempfile.TemporaryDirectory(prefix="labportal-mutants-") as folder:
        copies = Copies(Path(folder), options.jobs)
        if not sound(copies, modules):
            return 2
        return verdict(tried(drawn, copies, options.count, options.jobs))


def tried(drawn: list[Mutant], copies: Copies, count: int, jobs: int) -> list[Result]:
    """The first `count` that can be imported."""
    results: list[Result] = []
    waiting = iter(drawn)
    with ThreadPoolExecutor(jobs) as pool:
        while (missing := count - len(results)) > 0:
            batch = [mutant for mutant, _ in zip(waiting, range(missing), strict=False)]
            if not batch:
                break
            for result in pool.map(lambda mutant: judge(mutant, copies), batch):
                tell(result)
                if result.outcome != "unusable":
                    results.append(result)
    return results


def verdict(results: list[Result]) -> int:
    number = {name: sum(result.outcome == name for result in results) for name in ("killed", "survived", "equivalent")}
    counted = number["killed"] + number["survived"]
    share = number["survived"] / counted if counted else 1.0
    print(
        f"{len(results)} mutants: {number['killed']} killed, {number['survived']} survived, "
        f"{number['equivalent']} equivalent by argument; {share:.1%} survive (goal: at most {MOST_SURVIVING:.0%})"
    )
    return 0 if share <= MOST_SURVIVING else 1


if __name__ == "__main__":
    sys.exit(main())
