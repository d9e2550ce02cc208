"""Who looks whether consoles have to end, how often, and what ends one."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import User
from vms.console import closing
from vms.models import ConsoleSession
from vms.models.consoles import ConsoleStatus


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is. Whoever sleeps makes it later."""
    found = SimpleNamespace(now=50.0, slept=[])

    async def sleep(seconds: float) -> None:
        found.slept.append(seconds)
        found.now += seconds

    monkeypatch.setattr(closing, "time", SimpleNamespace(monotonic=lambda: found.now))
    monkeypatch.setattr(closing, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(closing, "_checked_at", 0.0)
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Who was looked for; nobody has to end, until there were three looks."""
    found: list[list[Any]] = []

    async def look(viewers: list[Any]) -> None:
        found.append(viewers)
        if len(found) == 2:
            raise DatabaseError("the database is away")
        if len(found) == 3:
            closing._ending.update({viewer.row.pk: "admin" for viewer in viewers})

    monkeypatch.setattr(closing, "_query", look)
    return found


def viewer(password: str = "p") -> Any:
    return SimpleNamespace(row=ConsoleSession(), session_key="key", user=User(password=password))


def test_a_console_is_looked_for_each_second_until_it_has_to_end(
    moment: SimpleNamespace, looks: list[list[Any]], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(closing.wait(viewer())) == "admin"
    assert moment.slept == [1.0] * 3
    assert len(looks) == 3
    assert "DatabaseError" in caplog.text
    assert not closing._viewers
    assert not closing._ending


def test_who_has_just_asked_or_is_about_it_is_not_followed(moment: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    asked: list[float] = []

    async def look(_visitors: list[Any]) -> None:
        asked.append(moment.now)
        moment.now += 5  # as long as the database takes
        await closing._check()

    monkeypatch.setattr(closing, "_query", look)
    for later in 0.0, 0.9, 0.1:
        moment.now += later
        asyncio.run(closing._check())
    assert asked == [50.0, 56.0]


def test_what_was_said_while_it_slept_is_asked_no_more(moment: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    mine = viewer()

    async def sleep(_seconds: float) -> None:
        closing._ending[mine.row.pk] = "lena"

    monkeypatch.setattr(closing, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(closing, "_check", None)
    assert asyncio.run(closing.wait(mine)) == "lena"


@pytest.mark.parametrize(
    ("standing", "is_logged_in", "ends"),
    [
        (ConsoleStatus("", "p", may_stay=True), True, False),
        (ConsoleStatus("", "p", may_stay=True), False, True),
        (ConsoleStatus("", "p", may_stay=False), True, True),
        (ConsoleStatus("admin", "p", may_stay=True), True, True),
        (ConsoleStatus("", "another", may_stay=True), True, True),
        (ConsoleStatus("", "P", may_stay=True), True, True),
        (ConsoleStatus("", None, may_stay=True), True, True),
        (None, True, True),
    ],
)
@pytest.mark.parametrize("others", [0, 1])
def test_what_ends_a_console(
    monkeypatch: pytest.MonkeyPatch, standing: ConsoleStatus | None, is_logged_in: bool, ends: bool, others: int
):
    mine, stays = viewer(), viewer()
    rows = {mine.row.pk: standing, stays.row.pk: ConsoleStatus("", "p", may_stay=True)}
    stays.session_key = "other"
    found: dict[Any, Any] = {pk: row for pk, row in rows.items() if row} | {
        "other": ConsoleStatus("", "", may_stay=True)
    }
    if is_logged_in:
        found["key"] = ConsoleStatus("", "", may_stay=True)

    async def run_in_thread(_work: Any, keys: list[Any], logins: set[str]) -> Any:
        assert (len(keys), logins) == (1 + others, {"key", "other"} if others else {"key"})
        return found

    monkeypatch.setattr(closing, "run_in_thread", run_in_thread)
    monkeypatch.setattr(closing, "_ending", {})
    asyncio.run(closing._query([mine, stays][: 1 + others]))
    assert closing._ending == ({mine.row.pk: standing.closed_by if standing else ""} if ends else {})
