"""Finds waits of tests that have no deadline: `python -m tests.wait_lint [FILE…]`, as bin/lint does.

What cannot hang, or is no such wait, says why on its line: `# ends: …`.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# What would wait for ever when it is called with nothing in its brackets.
BARE = {"wait", "join", "result", "communicate", "acquire", "recv"}
# What takes no deadline: tests.waits reads with one.
NEVER = {"readline", "readlines"}
# What needs `timeout=`.
NAMED = {"subprocess": {"run", "call", "check_call", "check_output"}, "socket": {"create_connection"}}
PIPES = {"stdout", "stderr"}


def unlimited(source: str) -> Iterator[tuple[int, str]]:
    """The number of each line that may wait for ever, and at what."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        at, what = (node, _call(node)) if isinstance(node, ast.Call) else _loop(node)
        if what and "# ends:" not in lines[at.lineno - 1]:
            yield at.lineno, what


def _call(call: ast.Call) -> str:
    if not isinstance(call.func, ast.Attribute):
        return ""
    name, of = call.func.attr, call.func.value
    named = isinstance(of, ast.Name) and name in NAMED.get(of.id, ())
    bare = name in BARE and not call.args and not call.keywords
    limited = any(keyword.arg == "timeout" for keyword in call.keywords)
    return name if name in NEVER or bare or (named and not limited) else ""


def _loop(node: ast.AST) -> tuple[ast.expr, str]:
    """Over the lines of a pipe, also in `for line in program.stdout or ()`."""
    over = node.iter if isinstance(node, ast.For | ast.comprehension) else ast.Constant("")
    parts = over.values if isinstance(over, ast.BoolOp) else [over]
    return over, next((part.attr for part in parts if isinstance(part, ast.Attribute) and part.attr in PIPES), "")


def main(files: list[str]) -> int:
    found = [
        f"{file}:{number}: {what} without a deadline"
        for file in files or sorted(map(str, Path(__file__).parent.rglob("*.py")))
        for number, what in unlimited(Path(file).read_text(encoding="utf-8"))
    ]
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
