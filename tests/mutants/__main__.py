"""Break one place at a time, in a copy, and see whether a test notices: `bin/mutants [--count N] [--seed N] [module]`.

A mutant is judged by the tests in targets.toml that come to its function, those of its very line first.
"""

import argparse
import secrets
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.copies import PYTEST, ROOT, Copy, spread
from tests.mutants.coverage_map import Seen
from tests.mutants.generate import Mutant, draw
from tests.mutants.hot_swap import ENDED, Request, replaceable

TARGETS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "targets.toml").read_text(encoding="utf-8"))
MOST_SURVIVING = 0.05
LOADS = "import django, importlib, sys; django.setup(); importlib.import_module(sys.argv[1])"


@dataclass(frozen=True)
class Result:
    mutant: Mutant
    outcome: str  # killed, survived, equivalent, or unusable: it cannot be imported
    detail: str = ""


def judge(mutant: Mutant, copy: Copy, seen: Seen) -> Result:
    path = copy.tree / mutant.module
    source = path.read_text(encoding="utf-8")
    code = mutant.code(source)
    if code is None or code == source or not compiles(code):
        return Result(mutant, "unusable", "changes nothing, or is no Python")
    if reason := equivalent(mutant, mutant.diff(source)):
        return Result(mutant, "equivalent", reason)
    try:
        path.write_text(code, encoding="utf-8")  # for the programs that tests start
        return inside(mutant, copy, seen, code) if replaceable(source, code) else anew(mutant, copy, seen)
    finally:
        path.write_text(source, encoding="utf-8")


def compiles(code: str) -> bool:
    try:
        compile(code, "", "exec")
    except SyntaxError:
        return False
    return True


def inside(mutant: Mutant, copy: Copy, seen: Seen, code: str) -> Result:
    """Judge what is only inside a function."""
    tests = seen.of(mutant.module, mutant.line, TARGETS[mutant.module]["tests"])
    if not tests:
        return Result(mutant, "survived", "no test comes here")
    limits = [(test, seen.patience(test)) for test in tests]
    last = copy.ask(Request(limits, {str(copy.tree / mutant.module): code}))[-1]
    if last.problem == ENDED:
        return anew(mutant, copy, seen)
    if last.problem:
        return Result(mutant, "killed", last.problem)
    return Result(mutant, "survived", f"{len(tests)} tests")


def anew(mutant: Mutant, copy: Copy, seen: Seen) -> Result:
    """Judge what a module runs while it is imported, in a process of its own."""
    if copy.run("-c", LOADS, mutant.module.removesuffix(".py").replace("/", "."), limit=60):
        return Result(mutant, "unusable", "cannot be imported")
    tests = seen.of(mutant.module, mutant.line, TARGETS[mutant.module]["tests"], everywhere=True)
    status = copy.run(
        *PYTEST, "-x", *TARGETS[mutant.module].get("imported", ()), *tests, limit=60 + sum(map(seen.patience, tests))
    )
    detail = f"{len(tests)} tests in a process of their own, exit code {status}"
    return Result(mutant, "killed" if status else "survived", detail)


def equivalent(mutant: Mutant, diff: list[str]) -> str:
    """The argued reason, if this change is one that nobody could see."""
    before = " ".join(line[1:].strip() for line in diff if line[0] == "-")
    after = " ".join(line[1:].strip() for line in diff if line[0] == "+")
    for entry in TARGETS[mutant.module].get("equivalent", ()):
        if entry["line"] in before and entry["to"] in after:
            return str(entry["why"])
    return ""


def tell(result: Result) -> None:
    mutant = result.mutant
    print(f"{result.outcome:10} {mutant.module}:{mutant.line} {mutant.operator.removeprefix('core/')}  {result.detail}")
    if result.outcome in {"survived", "equivalent"}:
        for line in mutant.diff((ROOT / mutant.module).read_text(encoding="utf-8")):
            print(f"    {line}")
    sys.stdout.flush()


@contextmanager
def copied(number: int, tests: list[str]) -> Iterator[list[Copy]]:
    with tempfile.TemporaryDirectory(prefix="labportal-mutants-") as folder:
        copies = [Copy(Path(folder) / str(count), tests) for count in range(number)]
        try:
            yield copies
        finally:
            for copy in copies:
                copy.end()


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
    warnings.simplefilter("ignore", SyntaxWarning)  # what is broken may look odd
    seen = Seen(tuple(TARGETS))
    with copied(options.jobs, sorted({test for module in modules for test in TARGETS[module]["tests"]})) as copies:
        found = [copy.tests() for copy in copies]
        if failed := seen.look(copies, found[0]):
            print("These fail where nothing is broken:", *failed, sep="\n    ")
            return 2
        return verdict(tried(drawn, copies, seen, options.count))


def tried(drawn: list[Mutant], copies: list[Copy], seen: Seen, count: int) -> list[Result]:
    """The first `count` that can be imported."""
    results: list[Result] = []
    waiting = iter(drawn)
    while (missing := count - len(results)) > 0:
        batch = [mutant for mutant, _ in zip(waiting, range(missing), strict=False)]
        if not batch:
            break
        for result in spread(copies, lambda copy, mutant: judge(mutant, copy, seen), batch):
            tell(result)
            if result.outcome != "unusable":
                results.append(result)
    return results


def verdict(results: list[Result]) -> int:
    number = {name: sum(result.outcome == name for result in results) for name in ("killed", "survived", "equivalent")}
    counted = number["killed"] + number["survived"]
    share = number["survived"] / counted if counted else 1.0
    print("\nSurvivors and equivalents:")
    for result in sorted(results, key=lambda result: result.outcome, reverse=True):
        if result.outcome != "killed":
            tell(result)
    print(
        f"{len(results)} mutants: {number['killed']} killed, {number['survived']} survived, "
        f"{number['equivalent']} equivalent by argument; {share:.1%} survive (goal: at most {MOST_SURVIVING:.0%})"
    )
    return 0 if share <= MOST_SURVIVING else 1


if __name__ == "__main__":
    sys.exit(main())
