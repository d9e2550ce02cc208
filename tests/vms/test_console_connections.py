"""While the bytes of a console flow, it holds no connection to the database."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created

from accounts.models import User
from tests.labs import Lab
from tests.own_database import ON_POSTGRES
from tests.vms.console_client import Portal, VncClient, browser_of, eventually, permit, portal, update
from tests.waits import TIMEOUT
from vms.console import closing, threads

__all__ = ["portal"]


class Counted:
    """The connections that threads other than the test's have open. PostgreSQL is asked itself."""

    def __init__(self) -> None:
        self.wrappers: list[Any] = []

    def note(self, connection: Any, **_kwargs: Any) -> None:
        self.wrappers.append(connection)

    def __len__(self) -> int:
        if not ON_POSTGRES:
            others = {id(one): one for one in self.wrappers if one is not connections["default"]}
            return sum(one.connection is not None for one in others.values())
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(cursor.fetchone()[0])


@pytest.fixture
def held(own_database: dict[str, Any]) -> Iterator[Counted]:
    counted = Counted()
    connection_created.connect(counted.note)
    yield counted
    connection_created.disconnect(counted.note)
    for wrapper in counted.wrappers:
        if wrapper.connection is not None:
            wrapper.connection.close()


@pytest.fixture
def viewers(
    held: Counted, portal: Portal, building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch
) -> list[VncClient]:
    """Two consoles that nobody asks about for a while."""
    monkeypatch.setattr(closing, "CHECK_EVERY", 60.0)
    browser, machine = browser_of(ana), building_a.assign(102, ana)
    return [portal.view(permit(browser, machine.pk), browser) for _ in range(2)]


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads leave their connections open."""
    monkeypatch.setattr(threads.connections, "close_all", lambda: None)


def pictures(viewer: VncClient) -> int:
    """Bytes."""
    viewer.send(update())
    return len(viewer.websocket.recv(timeout=TIMEOUT, decode=False))


def test_no_connection_is_held_while_bytes_flow(held: Counted, viewers: list[VncClient]):
    assert eventually(lambda: len(held) == 0)
    assert held.wrappers, "the portal was at the database"
    for _ in range(10):
        assert sum(pictures(viewer) for viewer in viewers) > 0
        assert len(held) == 0


def test_one_that_is_left_open_is_seen(careless: None, held: Counted, viewers: list[VncClient]):
    assert all(viewer.sees_something() for viewer in viewers)
    assert not eventually(lambda: len(held) < len(viewers), within=0.5)
