"""Calls at an unlucky depth do not ask the system for memory again and again."""

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waits import TIMEOUT

TURNS = 50


def nothing() -> None:
    pass


def deep(levels: int = 300) -> None:
    for _ in range(TURNS):
        nothing()
    if levels:
        deep(levels - 1)


def pages_provided(act: Callable[[], None]) -> int:
    """How many pages of memory the system provides for a second run. The first one has provided what is kept."""
    act()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    act()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


def test_a_test_has_room_for_the_frames_of_all_that_it_calls():
    assert pages_provided(deep) < TURNS


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="allowed: newer versions of Python keep one chunk")
def test_without_room_each_turn_of_a_loop_asks_for_memory():
    with ThreadPoolExecutor(1) as thread:  # with a stack of its own
        assert thread.submit(pages_provided, deep).result(TIMEOUT) >= TURNS
