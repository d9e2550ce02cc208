"""What is downloaded has no formula in it, whatever a spreadsheet splits it at: bin/test -n0 -s THIS FILE."""

import csv
import io
import re
from typing import Any

import pytest

from accounts import spreadsheet
from tests.access import expected, odd_strings, routes
from tests.access.school import World

pytestmark = pytest.mark.django_db

WORDS = ("=1+1", "+1+1", "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", '=HYPERLINK("//evil.test")', "\uff1d1", "\uff0b1")
BEFORE = ("", " ", "\t", "\r", "x;", "x\t")
FORMULAS = [f"{before}{word}" for before in BEFORE for word in WORDS] + ['x;"=1+1', "\uff201"]

# A cell that a spreadsheet takes for a formula, or that looks like one once it is split at another separator.
LIVE = re.compile(r"(?:^|[;\t\r\n])[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def downloads() -> list[str]:
    return [route for route in routes.routes() if route.endswith("/download/")]


def cells(world: World, route: str) -> list[str]:
    page = world.ask("superuser", "GET", routes.address(world, route))
    assert page.status_code == 200
    text = page.content.decode().removeprefix("\ufeff")
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


def live(world: World) -> tuple[int, list[str]]:
    """How many cells were looked at in all downloads, and those that are formulas."""
    found = [cell for route in downloads() for cell in cells(world, route)]
    return len(found), [cell for cell in found if LIVE.search(cell) or cell[:1] in {"\t", "\r"}]


def test_no_download_has_a_formula(world: World):
    looked_at, formulas = 0, []
    for formula in FORMULAS:
        odd_strings.put_everywhere(formula)
        count, found = live(world)
        looked_at += count
        formulas += found
    print(
        f"\n{len(FORMULAS)} formulas in {len(downloads())} downloads: {looked_at} cells, {len(formulas)} live formulas"
    )
    assert (len(set(FORMULAS)), formulas) == (50, [])
    assert set(downloads()) <= set(expected.rows())


def test_cells_that_are_written_as_they_are_are_noticed(world: World, monkeypatch: Any):
    monkeypatch.setattr(spreadsheet, "safe", str)
    odd_strings.put_everywhere(FORMULAS[0])
    assert live(world)[1]
