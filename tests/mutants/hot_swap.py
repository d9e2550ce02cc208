"""A mutant of a function needs no new process: its code is put into the functions that are loaded already."""

import gc
from collections import Counter
from dataclasses import dataclass, field
from types import CodeType, FunctionType

DESCRIPTOR = "MUTANTS_DESCRIPTOR"  # names the variable with the number of the pipe between bin/mutants and warm.py
TOO_LONG, ENDED = "took too long", "the process ended"


@dataclass(frozen=True)
class Request:
    tests: list[tuple[str, float]]  # with the seconds that each may take
    changed: dict[str, str]  # files of modules, with the code that is theirs meanwhile
    watched: tuple[str, ...] = ()  # the modules of which is told what lines each test came to


@dataclass(frozen=True)
class Outcome:
    test: str
    problem: str
    seconds: float
    lines: dict[str, list[int]] = field(default_factory=dict)


def parts(source: str, path: str) -> tuple[list[str], list[CodeType]]:
    """What a module runs while it is imported, and its functions."""
    imported: list[str] = []
    functions: list[CodeType] = []
    waiting = [compile(source, path, "exec")]
    while waiting:
        code = waiting.pop()
        inner = [const for const in code.co_consts if isinstance(const, CodeType)]
        if code.co_flags & 2:  # CO_NEWLOCALS: a function
            functions.append(code)
        else:
            values = [const for const in code.co_consts if not isinstance(const, CodeType)]
            imported.append(f"{code.co_code.hex()} {code.co_names} {values}")
        waiting += inner
    return imported, functions


def key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def replaceable(before: str, after: str) -> bool:
    """Whether only the inside of functions differs, and each of them is told apart by its name and line."""
    old, new = parts(before, ""), parts(after, "")
    names = [Counter((*key(code), code.co_freevars) for code in functions) for _, functions in (old, new)]
    return old[0] == new[0] and names[0] == names[1] and max(names[0].values(), default=1) == 1


def replace(path: str, source: str) -> None:
    """Put the code of this source into the functions that came from this file, wherever they are held by now."""
    codes = {key(code): code for code in parts(source, path)[1]}
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__.co_filename == path:
            function.__code__ = codes[key(function.__code__)]
