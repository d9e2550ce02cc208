"""pytest that waits, with everything loaded and a database migrated, and runs tests in a child for whoever asks."""

import gc
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

import pytest

from tests.mutants.hot_swap import DESCRIPTOR, ENDED, TOO_LONG, Outcome, Request, replace

_problems: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    items = {item.nodeid: item for item in session.items}
    first = items.pop("tests/mutants/warm_up.py::test_nothing")
    _test(first, next(iter(items.values())))
    gc.unfreeze()
    with Connection(int(os.environ[DESCRIPTOR])) as driver:
        driver.send(list(items))
        while (request := driver.recv()) is not None:  # ends: with the program that asks
            driver.send(_in_child(request, items, first))
    return True


def _in_child(request: Request, items: dict[str, pytest.Item], first: pytest.Item) -> list[Outcome]:
    ours, theirs = Pipe(duplex=False)
    if not (child := os.fork()):
        try:
            os.setsid()
            for path, code in request.changed.items():
                replace(path, code)
            _run([items[test] for test, _ in request.tests], first, theirs, request)
        finally:
            os._exit(1)
    theirs.close()
    try:
        return _listen(ours, request)
    finally:
        ours.close()
        os.killpg(child, signal.SIGKILL)  # with whatever its tests have started
        os.waitpid(child, 0)


def _listen(child: Connection, request: Request) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for test, limit in request.tests:
        if not child.poll(limit):
            return [*outcomes, Outcome(test, f"{TOO_LONG} {test}", limit)]
        try:
            outcomes.append(child.recv())  # ends: polled above
        except EOFError:
            return [*outcomes, Outcome(test, ENDED, 0)]
        if outcomes[-1].problem and not request.watched:
            break
    return outcomes


def _run(items: list[pytest.Item], first: pytest.Item, parent: Connection, request: Request) -> None:
    # The test that is said to come next decides what is taken down: never what the session has in common.
    for item, following in zip(items, [*items[1:], first], strict=True):
        lines: dict[str, set[int]] = {}
        start = perf_counter()
        _watch(request.watched, lines)
        problem = _test(item, following)
        _watch((), lines)
        seen = {name: sorted(numbers) for name, numbers in lines.items()}
        parent.send(Outcome(item.nodeid, problem, perf_counter() - start, seen))
        if problem and not request.watched:
            break


def _test(item: pytest.Item, following: pytest.Item) -> str:
    """As pytest does it, with all plugins. Returns what failed."""
    _problems.clear()
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return next(iter(_problems), "")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _problems.append(f"{report.when} {report.nodeid}")


def _watch(modules: tuple[str, ...], lines: dict[str, set[int]]) -> None:
    files = {str(Path.cwd() / name): name for name in modules}

    def inside(frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            lines.setdefault(files[frame.f_code.co_filename], set()).add(frame.f_lineno)
        return inside

    def called(frame: FrameType, _event: str, _arg: Any) -> Any:
        return inside if frame.f_code.co_filename in files else None

    sys.settrace(called if files else None)
    threading.settrace(called if files else None)
