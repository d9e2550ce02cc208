"""Which test comes to which line, and how long it takes: looked up once, and again for the files that have changed."""

import ast
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.mutants.copies import ROOT, Copy, spread
from tests.mutants.hot_swap import Request

KEPT = ROOT / ".venv/mutants/seen.json"
MOST_SECONDS = 600.0

Test = dict[str, Any]  # seconds, lines: of each module


class Seen:
    def __init__(self, modules: tuple[str, ...]) -> None:
        self.modules = modules
        self.tests: dict[str, Test] = {}

    def look(self, copies: list[Copy], tests: list[str]) -> list[str]:
        """Run the tests that are not known yet, with code put in that is as it was; returns those that fail."""
        failed: list[str] = []
        kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
        others = _hash(copies[0], *filter(_shared, copies[0].names)) + str(self.modules)
        files: dict[str, list[str]] = {}
        for test in tests:
            files.setdefault(test.partition("::")[0], []).append(test)

        def known(copy: Copy, file: str) -> tuple[str, dict[str, Test], list[str]]:
            version = _hash(copy, file) + others
            if file in kept and kept[file]["version"] == version:
                return version, kept[file]["tests"], []
            unbroken = {str(copy.tree / name): (copy.tree / name).read_text(encoding="utf-8") for name in self.modules}
            limits = [(test, MOST_SECONDS) for test in files[file]]
            outcomes = copy.ask(Request(limits, unbroken, watched=self.modules))
            problems = [f"{one.test}: {one.problem}" for one in outcomes if one.problem]
            return version, {one.test: {"seconds": one.seconds, "lines": one.lines} for one in outcomes}, problems

        for file, (version, found, problems) in zip(files, spread(copies, known, files), strict=True):
            failed += problems
            self.tests |= found
            if not problems:
                kept[file] = {"version": version, "tests": found}
                KEPT.write_text(json.dumps(kept), encoding="utf-8")
            print(f"{sum(test['seconds'] for test in found.values()):6.1f} s {file}", flush=True)
        return failed

    def of(self, module: str, line: int, files: list[str], *, everywhere: bool = False) -> list[str]:
        """The tests that come to this line's function, or anywhere: first those of the line, the quickest first."""
        wanted = None if everywhere else set(_function((ROOT / module).read_text(encoding="utf-8"), line))
        found = [
            (line not in lines, test["seconds"], name)
            for name, test in self.tests.items()
            if (lines := test["lines"].get(module)) and (wanted is None or wanted & set(lines))
            and name.partition("::")[0] in files
        ]  # fmt: skip
        return [name for _, _, name in sorted(found)]

    def patience(self, test: str) -> float:
        """How long a test may take with something broken: a loop without an end is noticed, too."""
        return 30 + 10 * float(self.tests[test]["seconds"])


def _shared(name: str) -> bool:
    """Whether all tests may depend on it."""
    path = Path(name)
    return path.suffix in {".py", ".html"} and path.parts[:2] != ("tests", "mutants") and path.name[:5] != "test_"


def _hash(copy: Copy, *names: str) -> str:
    return sha256(b"".join((copy.tree / name).read_bytes() for name in names)).hexdigest()


def _function(source: str, line: int) -> range:
    """The lines of the innermost function around this one."""
    spans = [
        range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return min(spans, key=len, default=range(0))
