"""Calls at an unlucky depth do not ask the system for memory again and again."""

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.frame_stack import make_room
from tests.waits import TIMEOUT

TURNS = 50


def nothing() -> None:
    pass


def deep(levels: int = 300) -> None:
    for _ in range(TURNS):
        nothing()
    if levels:
        deep(levels - 1)


def with_room() -> None:
    deep()


make_room(with_room)


def pages_provided(act: Callable[[], None]) -> int:
    """How many pages of memory the system provides meanwhile. What is kept was there before."""
    act()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    act()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


def in_thread(act: Callable[[], None]) -> int:
    """With a stack of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(pages_provided, act).result(TIMEOUT)


def test_a_test_has_room_for_the_frames_of_all_that_it_calls():
    assert in_thread(with_room) < TURNS


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="allowed: newer versions of Python keep one chunk")
def test_without_room_each_turn_of_a_loop_asks_for_memory():
    assert in_thread(deep) >= TURNS
