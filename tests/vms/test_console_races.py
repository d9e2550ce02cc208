"""Several processes at the same moment, and whose page it is."""

import itertools

import pytest

from accounts.models import User
from tests.labs import Lab
from tests.own_database import run_in_threads
from vms.console import permissions
from vms.models import ConsoleGrant, ConsoleSession, Operation
from vms.worker import schedule

own = pytest.mark.usefixtures("own_database")


@own
def test_of_six_at_once_two_get_a_place(building_a: Lab, ana: User):
    machine, won = building_a.assign(102, ana), []

    def begin() -> None:
        won.append(ConsoleSession.begin(machine, user=ana, mode="view"))

    assert run_in_threads(*[begin] * 6) == []
    assert sorted(row.place for row in won if row) == [1, 2]


@own
def test_of_four_at_once_one_uses_the_permit(building_a: Lab, ana: User):
    token, won = ConsoleGrant.issue(building_a.assign(102, ana), user=ana, session_key="k", mode="view"), []
    run = [lambda: won.append(ConsoleGrant.redeem(token, user=ana, session_key="k"))] * 4
    assert run_in_threads(*run) == []
    assert sum(grant is not None for grant in won) == 1


@own
def test_an_end_that_several_see_is_written_once(building_a: Lab, ana: User):
    row, won = ConsoleSession.begin(building_a.assign(102, ana), user=ana, mode="view"), []
    assert run_in_threads(*[lambda: won.append(row.end("Closed."))] * 4) == []
    assert sorted(won) == [False, False, False, True]
    assert Operation.objects.count() == 1


@own
def test_the_worker_ends_what_a_dead_process_left(building_a: Lab, ana: User):
    dead, alive = (ConsoleSession.begin(building_a.assign(vmid, ana), user=ana, mode="view") for vmid in (102, 104))
    ConsoleSession.objects.filter(pk=dead.pk).update(leased_until=dead.opened_at)
    schedule.PERIODIC_JOBS["end dead consoles"].work()
    assert ConsoleSession.objects.get() == alive
    assert Operation.objects.get().outcome == "View only. The portal's process ended."


def scope(host: str, origin: str | None, scheme: str = "ws") -> permissions.Scope:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    return {"scheme": scheme, "headers": headers}


OURS = [
    ("127.0.0.1:8000", "http://127.0.0.1:8000", "ws"),
    ("localhost", "https://localhost", "wss"),
    ("LOCALHOST", "https://localhost", "wss"),
]
FOREIGN = [
    ("localhost", "http://localhost", "wss"),
    ("localhost", "https://localhost", "ws"),
    ("localhost", "https://localhost:8443", "wss"),
    ("evil.example", "https://evil.example", "wss"),
    ("localhost", "https://localhost.evil.example", "wss"),
    ("localhost", "https://localhost/", "wss"),
    ("localhost", "null", "wss"),
    ("localhost", "", "wss"),
    ("localhost", None, "wss"),
    ("", "https://", "wss"),
]


@pytest.mark.parametrize(("host", "origin", "scheme"), OURS)
def test_a_page_of_ours(host: str, origin: str, scheme: str):
    assert permissions.is_same_origin(scope(host, origin, scheme))


@pytest.mark.parametrize(("host", "origin", "scheme"), FOREIGN)
def test_a_page_of_somebody_else(host: str, origin: str | None, scheme: str):
    assert not permissions.is_same_origin(scope(host, origin, scheme))


@pytest.mark.parametrize("name", [b"host", b"origin"])
def test_a_header_that_comes_twice_is_none(name: bytes):
    good = scope("localhost", "http://localhost")
    twice = itertools.chain(good["headers"], [pair for pair in good["headers"] if pair[0] == name])
    assert not permissions.is_same_origin(good | {"headers": list(twice)})
