"""A process makes a few pages at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from accounts import concurrency
from clusters import proxmox
from pvesim.clock import ManualClock
from tests.labs import Lab, building_a, clock, sim
from tests.waits import TIMEOUT, wait_until

__all__ = ["building_a", "clock", "sim"]


@pytest.fixture(autouse=True)
def two_at_once(settings: Any) -> None:
    settings.PAGES_PER_PROCESS = 2


def ask_together(view: Callable[[HttpRequest], HttpResponse], count: int) -> list[HttpResponse]:
    ask = concurrency.limit_concurrency(view)
    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout=TIMEOUT) for future in [pool.submit(ask, HttpRequest()) for _ in range(count)]]


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
    two, three = met(2, TIMEOUT), met(3, 0.2)
    assert [a.content for a in ask_together(lambda _: HttpResponse(str(two())), 2)] == [b"True"] * 2
    assert [a.content for a in ask_together(lambda _: HttpResponse(str(three())), 3)] == [b"False"] * 3


def test_a_page_that_waits_for_somebody_else_lets_others_go_on() -> None:
    three = met(3, TIMEOUT)

    def view(request: HttpRequest) -> HttpResponse:
        with concurrency.release_slot():
            return HttpResponse(str(three()))

    assert [answer.content for answer in ask_together(view, 3)] == [b"True"] * 3


@pytest.mark.usefixtures("own_database")
def test_within_a_transaction_a_page_keeps_its_place(settings: Any) -> None:
    settings.PAGES_PER_PROCESS = 1
    two = met(2, 0.2)

    def view(request: HttpRequest) -> HttpResponse:
        with closing(connection), transaction.atomic(), concurrency.release_slot():
            return HttpResponse(str(two()))

    assert [answer.content for answer in ask_together(view, 2)] == [b"False"] * 2


@pytest.mark.django_db
def test_a_page_that_waits_for_a_cluster_lets_others_go_on(building_a: Lab, clock: ManualClock) -> None:
    config = building_a.config
    building_a.pve.faults.delay("version", 60.0)

    def view(request: HttpRequest) -> HttpResponse:
        with proxmox.connect(config, deadline=TIMEOUT) as pve:
            pve.version()
        return HttpResponse()

    ask = concurrency.limit_concurrency(view)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ask, HttpRequest()) for _ in range(3)]
        wait_until(lambda: building_a.pve.count("GET", "version") == 3)
        assert not any(answer.done() for answer in answers)
        clock.advance(60.0)


def test_a_watcher_waits_for_nobody(settings: Any) -> None:
    three = met(3, TIMEOUT)

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(three()))

    ask, watcher = concurrency.limit_concurrency(view), HttpRequest()
    watcher.path = "/healthz"
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, [HttpRequest(), HttpRequest(), watcher]))
    assert [answer.content for answer in answers] == [b"True"] * 3


def test_a_page_that_fails_makes_room() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise LookupError

    ask = concurrency.limit_concurrency(view)
    for _ in range(3):
        with pytest.raises(LookupError):
            ask(HttpRequest())


def test_who_stands_aside_twice_gives_away_one_place() -> None:
    go, inside = threading.Event(), met(3, 0.3)

    def view(request: HttpRequest) -> HttpResponse:
        if request.path == "aside":
            with concurrency.release_slot(), concurrency.release_slot():
                return HttpResponse(str(go.wait(TIMEOUT)))
        return HttpResponse(str(inside()))

    ask = concurrency.limit_concurrency(view)
    waits = HttpRequest()
    waits.path = "aside"
    with ThreadPoolExecutor(4) as pool:
        pool.submit(ask, waits)
        others = [pool.submit(ask, HttpRequest()) for _ in range(3)]
        assert [other.result(timeout=TIMEOUT).content for other in others] == [b"False"] * 3
        go.set()


class Full:
    """No place is ever free."""

    def __init__(self, places: int) -> None:
        assert places == 2

    def __enter__(self) -> None:
        raise TimeoutError

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/vms/", "/metrics/"])
def test_what_machines_watch_is_told_also_when_every_place_is_taken(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(concurrency.threading, "Semaphore", Full)
    ask, request = concurrency.limit_concurrency(lambda _: HttpResponse("told")), HttpRequest()
    request.path = path
    if path in {"/healthz", "/readyz", "/metrics"}:
        assert ask(request).content == b"told"
    else:
        with pytest.raises(TimeoutError):
            ask(request)
