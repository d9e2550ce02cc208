"""What clusters and people write never becomes a part of a page: bin/test -n0 -s THIS FILE."""

import random
from collections import Counter
from typing import Any

import pytest
from django.template import engines

from tests.access import expected, odd_strings, routes
from tests.access.school import World, rolled_back
from tests.samples import SEED, TURNS

pytestmark = pytest.mark.django_db

# Which five payloads are shown to whom, in the order of their turns.
ORDER = random.Random(SEED).sample(range(len(odd_strings.GROUPS)), len(odd_strings.GROUPS))  # noqa: S311 - the same again

PEOPLE = ("superuser", "manager", "assignee")
FRAGMENTS = ("vms/", "vms/<int:pk>/", "clusters/")
TYPED = ("name", "description", "note", "username", "text", "host", "cluster_id", "first_name", "guest_login")
ASKED = ("q", "person", "from", "cluster", "status", "asked")

# What pages say more of when what was typed is wrong. No payload consists of these alone.
COMPLAINTS = {"<ul>", "<li>", "<p>", "<div>", "<strong>", "<form>", "<input>"}
# A text of several words is several rows of a plan.
ROWS = {"<tr>", "<td>"}

Pages = dict[str, Counter[str]]


def visits(turn: int | None = None) -> list[tuple[str, str]]:
    """Route and person for every page that these three are shown. In a turn, each page is for one of them."""
    found = []
    for route, row in expected.rows().items():
        may = [who for who in PEOPLE if row.get[who] in {"200", "409", "ok"}]
        found += [(route, who) for who in (may if turn is None or not may else [may[turn % len(may)]])]
    return found


def pages(world: World, turn: int | None = None) -> Pages:
    """The structure of these pages, by route and person."""
    found: Pages = {}
    for route, who in visits(turn):
        answer = world.ask(who, "GET", routes.address(world, route), expected.QUERIES.get(route))
        _add(found, f"{route} as {who}", answer)
    for route in FRAGMENTS:
        answer = world.ask("superuser", "GET", routes.address(world, route), **{"HX-Request": "true"})
        _add(found, f"{route} as a fragment", answer)
    return found


def answers(world: World, text: str) -> Pages:
    """The same of pages that answer to a text in their address or form."""
    found: Pages = {}
    for route, row in expected.rows().items():
        url = routes.address(world, route)
        if route in FRAGMENTS or route.endswith("/why/") or route in routes.model_pages():
            asked = dict.fromkeys(("q",) if route.startswith("admin/") else ASKED, text)
            _add(found, f"{route} asked", world.ask("superuser", "GET", url, asked))
        if row.post["superuser"] in {"200", "302", "ok"}:
            with rolled_back():
                _add(found, f"{route} told", world.ask("superuser", "POST", url, dict.fromkeys(TYPED, text)))
    return found


def _add(found: Pages, name: str, page: Any) -> None:
    if page.status_code != 302 and page.headers.get("Content-Type", "").startswith("text/html"):
        assert page.status_code < 500, name
        found[name] = odd_strings.structure(page)


@pytest.fixture(scope="module")
def harmless(world: World) -> tuple[Pages, Pages]:
    with rolled_back():
        odd_strings.put_everywhere(odd_strings.HARMLESS)
        return pages(world), answers(world, odd_strings.HARMLESS)


def changed(usual: Pages, shown: Pages) -> list[str]:
    """Pages that are not made of the same parts; all are there."""
    assert usual.keys() == shown.keys()
    return [f"{name}: {dict(shown[name] - usual[name])}" for name in shown if shown[name] != usual[name]]


def added(usual: Pages, shown: Pages) -> list[str]:
    """Answers with parts that are new. One that refuses what was harmless before is compared with its empty form."""
    known = {name: usual.get(name) or _empty(usual, name) for name in shown}
    new = {name: set(parts - known[name]) - COMPLAINTS - (ROWS & known[name].keys()) for name, parts in shown.items()}
    return [f"{name}: {parts}" for name, parts in new.items() if parts]


def _empty(usual: Pages, name: str) -> Counter[str]:
    """The page with a form of this address, or the page above it of which the form is a part."""
    route = name.removesuffix(" told")
    above = f"{route.rsplit('/', 2)[0]}/"
    return usual.get(f"{route} as superuser") or usual.get(f"{above} as superuser") or Counter()


@pytest.mark.parametrize("number", range(TURNS))
def test_no_string_becomes_a_part_of_a_page(world: World, harmless: tuple[Pages, Pages], number: int):
    turn = ORDER[number]
    columns = odd_strings.put_everywhere(odd_strings.GROUPS[turn])
    shown = pages(world, turn)
    asked = {f"{route} as {who}" for route, who in visits(turn)}
    usual = {name: parts for name, parts in harmless[0].items() if name in asked or name.endswith(" as a fragment")}
    found = changed(usual, shown)
    print(f"\nseed {SEED}, 5 payloads in {columns} columns: {len(shown)} pages, {len(found)} with something new")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", odd_strings.TEXTS)
def test_no_text_that_is_asked_or_typed_becomes_a_part_of_the_answer(
    world: World, harmless: tuple[Pages, Pages], text: str
):
    odd_strings.put_everywhere(odd_strings.HARMLESS)
    answered = answers(world, text)
    found = added(harmless[0] | harmless[1], answered)
    print(f"\n25 payloads in addresses and forms: {len(answered)} answers, {len(found)} with something new")
    assert not found, "\n".join(found)


def test_there_are_fifty_payloads():
    assert len(set(odd_strings.PAYLOADS)) == 50


def test_a_page_without_escaping_is_noticed(world: World, harmless: tuple[Pages, Pages], monkeypatch: Any):
    name, url = "vms/<int:pk>/ as assignee", routes.address(world, "vms/<int:pk>/")
    monkeypatch.setattr(engines["django"].engine, "autoescape", False)  # type: ignore[union-attr]
    for group in odd_strings.GROUPS:
        odd_strings.put_everywhere(group)
        page = {name: odd_strings.structure(world.ask("assignee", "GET", url))}
        assert changed({name: harmless[0][name]}, page)
        assert added({name: harmless[0][name]}, page)
