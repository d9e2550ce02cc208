"""A process makes a few pages at a time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import concurrency
from clusters import proxmox
from pvesim.clock import ManualClock
from tests.labs import Lab, building_a, clock, sim
from tests.waits import TIMEOUT, wait_until

__all__ = ["building_a", "clock", "sim"]


def make_together(*pages: Callable[[], bool], at_once: int = 2) -> list[Any]:
    """What they return, or how they fail. All are asked for at once, each in a thread when it has a slot."""

    async def all_of_them() -> list[Any]:
        slots = concurrency.Slots(at_once)
        with ThreadPoolExecutor(len(pages)) as threads:

            async def made(page: Callable[[], bool]) -> bool:
                return await asyncio.wrap_future(await slots.submit(threads, page))

            return await asyncio.gather(*map(made, pages), return_exceptions=True)

    return asyncio.run(all_of_them())


def met(parties: int, within: float) -> Callable[..., bool]:
    """A place to wait for so many others; false where they do not come."""
    barrier = threading.Barrier(parties)

    def wait() -> bool:
        try:
            barrier.wait(within)
        except threading.BrokenBarrierError:
            return False
        return True

    return wait


def test_two_pages_are_made_at_once_and_a_third_waits() -> None:
    assert make_together(*[met(2, TIMEOUT)] * 2) == [True] * 2
    assert make_together(*[met(3, 0.2)] * 3) == [False] * 3


def test_a_page_that_waits_for_somebody_else_lets_others_go_on() -> None:
    three = met(3, TIMEOUT)

    def page() -> bool:
        with concurrency.release_slot():
            return three()

    assert make_together(*[page] * 3) == [True] * 3


@pytest.mark.usefixtures("own_database")
def test_within_a_transaction_a_page_keeps_its_place() -> None:
    two = met(2, 0.2)

    def page() -> bool:
        with closing(connection), transaction.atomic(), concurrency.release_slot():
            return two()

    assert make_together(page, page, at_once=1) == [False] * 2


@pytest.mark.django_db
def test_a_page_that_waits_for_a_cluster_lets_others_go_on(building_a: Lab, clock: ManualClock) -> None:
    config = building_a.config
    building_a.pve.faults.delay("version", 60.0)

    def page() -> bool:
        with proxmox.connect(config, deadline=TIMEOUT) as pve:
            pve.version()
        return True

    with ThreadPoolExecutor(1) as helper:
        answers = helper.submit(make_together, page, page, page)
        wait_until(lambda: building_a.pve.count("GET", "version") == 3)
        assert not answers.done()
        clock.advance(60.0)


def test_a_page_that_fails_makes_room() -> None:
    def page() -> bool:
        raise LookupError

    assert list(map(type, make_together(page, page, page, at_once=1))) == [LookupError] * 3


def test_who_stands_aside_twice_gives_away_one_place() -> None:
    go, inside = threading.Event(), met(3, 0.3)

    def aside() -> bool:
        with concurrency.release_slot(), concurrency.release_slot():
            return go.wait(TIMEOUT)

    def page() -> bool:
        try:
            return inside()
        finally:
            go.set()

    assert make_together(aside, page, page, page) == [True, False, False, False]


def test_whoever_came_first_is_first_and_who_has_left_is_passed_over() -> None:
    """Coroutines and threads are in one queue."""
    done: list[int] = []

    async def three() -> None:
        slots = concurrency.Slots(1)
        slots.take()
        with ThreadPoolExecutor(1) as threads:
            waiting = [asyncio.create_task(slots.submit(threads, partial(done.append, number))) for number in range(3)]
            await asyncio.sleep(0)
            waiting[1].cancel()
            await asyncio.sleep(0)
            slots.give_back()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert slots._free == 1

    asyncio.run(three())
    assert done == [0, 2]


def test_who_leaves_just_when_the_slot_is_given_gives_it_back() -> None:
    async def one() -> None:
        slots = concurrency.Slots(1)
        slots.take()
        with ThreadPoolExecutor(1) as threads:
            waiting = asyncio.create_task(slots.submit(threads, lambda: None))
            await asyncio.sleep(0)
            slots.give_back()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert slots._free == 1

    asyncio.run(one())
