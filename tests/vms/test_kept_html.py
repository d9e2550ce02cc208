"""HTML that is kept says what HTML rendered afresh says, for everybody and in every language."""

import random
import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from django.template import Context, Template, loader
from django.test import override_settings
from django.utils import timezone, translation

from clusters.templatetags.ages import ago
from vms.pages import kept_html
from vms.pages.batch_progress import ItemRow
from vms.pages.cards import Button, Card
from vms.pages.dashboard import Assignee, Dashboard, GroupMachine, HelpCall

ROUNDS, PAIRS = 400, 10_000
NASTY = ("web-01", "<b>&amp;</b>", "\"'`", "{{ csrf_token }}", "a b", "ñ é", "%(name)s", "100000000000000")
ACTIONS = ("start", "shutdown", "stop", "reboot", "reset", "suspend", "resume")
TAG = Template("{% load kept %}{% machine_card card %}")
TILES = Template("{% load kept %}{% machine_tiles dashboard %}")
ROW = Template("{% load kept %}{% batch_row row %}")


def card(luck: random.Random) -> Card:
    word = lambda: luck.choice(NASTY)  # noqa: E731
    maybe = lambda: luck.choice(("", word()))  # noqa: E731
    buttons = lambda: tuple(  # noqa: E731
        Button(action, word(), luck.random() < 0.5) for action in luck.sample(ACTIONS, luck.randrange(4))
    )
    busy = luck.random() < 0.3
    return Card(
        pk=luck.randrange(1, 10**6), name=word(), vmid=luck.randrange(100, 10**9), node=word(), status=word(),
        tone=luck.choice(("running", "stopped", "paused", "busy", "failed", "stale", "unknown")), busy=busy,
        elapsed=f"0{luck.randrange(10)}:17" if busy else "", address=luck.choice(("", "192.0.2.7", "2001:db8::7")),
        address_note=maybe(), age=luck.choice(("fresh", "old", "never")),
        age_at=luck.choice((None, timezone.now() - timedelta(minutes=luck.randrange(90), seconds=30))),
        node_is_silent=luck.random() < 0.5, buttons=buttons(), more=buttons(), may_open=luck.random() < 0.5,
        no_console=maybe(), has_console=luck.random() < 0.5, reason=maybe(), trouble=maybe(), detail=maybe(),
        dismiss=luck.choice(("", "6f1c0f6e-7c7c-4a55-9d0e-0d4b3f2f8a11")), is_helped=luck.random() < 0.5, lock=maybe(),
        assignee=maybe(),
    )  # fmt: skip


def page(luck: random.Random) -> dict[str, object]:
    return {
        "alone": luck.choice(("", True)), "single": luck.choice((True, False)), "origin": luck.choice(("", "all")),
        "csrf_token": luck.choice(("a" * 64, "b" * 64)),
    }  # fmt: skip


def afresh(shown: Card, around: dict[str, object]) -> str:
    since = ago(shown.age_at) if shown.age_at else ""
    return str(loader.render_to_string("vms/_card.html", {"card": shown, "since": since, **around}))


def differing(rounds: int, seed: int) -> int:
    """How many of so many random cards are told otherwise when their HTML is kept."""
    luck = random.Random(seed)  # noqa: S311
    pool = [card(luck) for _ in range(rounds // 8)]
    found = 0
    for _ in range(rounds):
        # The same shape comes again with other values, on other pages, for other readers.
        shown = replace(luck.choice(pool), pk=luck.randrange(1, 99), name=luck.choice(NASTY), node=luck.choice(NASTY))
        if shown.busy:
            shown = replace(shown, elapsed=f"0{luck.randrange(10)}:{luck.randrange(10, 60)}")
        around = page(luck)
        with (
            translation.override(luck.choice(("en", "es"))),
            timezone.override(luck.choice(("Europe/Madrid", "Asia/Tokyo"))),
        ):
            found += TAG.render(Context({"card": shown, **around})) != afresh(shown, around)
    return found


@pytest.fixture(autouse=True)
def _nothing_kept():
    kept_html.forget()


def test_kept_cards_say_what_cards_rendered_afresh_say():
    assert differing(ROUNDS, 1) == 0
    assert kept_html.kept_count() < ROUNDS


@pytest.mark.parametrize("looked_at", ["get_language", "get_current_timezone_name", "origin", "single"])
def test_what_is_missing_in_the_key_is_found(monkeypatch: pytest.MonkeyPatch, looked_at: str):
    """A positive control: a key without one of the things that templates look at."""
    pieces = kept_html._pieces
    first: dict[object, object] = {}

    def careless(template: str, context: tuple[tuple[str, object], ...], *rest: str) -> object:
        left = tuple((name, value) for name, value in context if name != looked_at)
        told = [
            one
            for one, name in zip(rest, ("get_language", "get_current_timezone_name", ""), strict=True)
            if name != looked_at
        ]
        return first.setdefault((template, left, *told), pieces.__wrapped__(template, context, *rest))

    monkeypatch.setattr(kept_html, "_pieces", careless)
    assert differing(ROUNDS, 1) > 0


def test_an_age_goes_on(monkeypatch: pytest.MonkeyPatch):
    old = replace(card(random.Random(5)), busy=False, elapsed="", age_at=timezone.now() - timedelta(minutes=5))  # noqa: S311
    for words in ("5 minutes ago", "6 minutes ago"):
        monkeypatch.setattr("vms.templatetags.kept.ago", lambda _at, words=words: words)
        assert words in TAG.render(Context({"card": old, "csrf_token": "t"}))


@pytest.mark.parametrize("name", [field.name for field in fields(Card) if field.name not in {"buttons", "more"}])
def test_each_value_of_a_card_is_told_or_decides_nothing(name: str):
    """Two cards that differ in one value, one after the other: neither gets the other's HTML."""
    luck = random.Random(name)  # noqa: S311
    for _ in range(12):
        one, other, around = card(luck), card(luck), page(luck)
        changed = replace(one, **{name: getattr(other, name)})
        if changed.busy != bool(changed.elapsed):  # no such card
            continue
        for shown in (one, changed, one):
            assert TAG.render(Context({"card": shown, **around})) == afresh(shown, around)


def test_nobody_gets_the_buttons_of_somebody_else():
    luck, links = (
        random.Random(7),  # noqa: S311
        re.compile(r'id="(start|shutdown|stop|reboot|reset|suspend|resume|open|help)-(\d+)"'),
    )
    pool = [replace(card(luck), has_console=False) for _ in range(60)]
    wrong = with_buttons = 0
    for _ in range(PAIRS):
        base = luck.choice(pool)
        may = replace(base, pk=luck.randrange(1, 10**6))
        may_not = replace(may, buttons=(), more=(), may_open=False, is_helped=False, dismiss="", detail="")
        for shown in luck.sample((may, may_not), 2):
            html = TAG.render(Context({"card": shown, "origin": "", "csrf_token": "t"}))
            wanted = {(one.action, str(shown.pk)) for one in (*shown.buttons, *shown.more)}
            wanted |= {("open", str(shown.pk))} if shown.may_open else set()
            wanted |= {("help", str(shown.pk))} if shown.is_helped else set()
            wrong += set(links.findall(html)) != wanted
            with_buttons += bool(wanted)
    assert wrong == 0
    assert with_buttons > PAIRS / 2


def test_tiles_of_a_group_say_what_they_say_afresh():
    luck = random.Random(3)  # noqa: S311
    group = type("Group", (), {"pk": 12})()
    for _ in range(150):
        asked = HelpCall(1, 2, "web", "Ana", "", timezone.now() - timedelta(minutes=luck.randrange(9), seconds=5), True)
        who = luck.choice((None, Assignee(luck.randrange(99), luck.choice(NASTY))))
        entry = GroupMachine(card(luck), who, luck.choice((None, asked)))
        around = {"may_ask": luck.random() < 0.5, "all_chosen": luck.random() < 0.5}
        fresh = {
            "entry": entry, "since": ago(entry.card.age_at) if entry.card.age_at else "", "group_pk": 12,
            "asked_since": ago(asked.since), **around,
        }  # fmt: skip
        shown = Dashboard((), (entry,), ())
        html = TILES.render(Context({"dashboard": shown, "machine_group": group, **around}))
        assert html == loader.render_to_string("vms/_tile.html", fresh)


def test_rows_of_a_batch_say_what_they_say_afresh():
    luck = random.Random(4)  # noqa: S311
    for _ in range(100):
        row = ItemRow(
            luck.choice(NASTY),
            luck.choice((None, 7, 123)),
            "done",
            luck.choice(("running", "failed")),
            *luck.choices(NASTY, k=2),
        )
        assert ROW.render(Context({"row": row})) == loader.render_to_string("vms/_batch_row.html", {"row": row})


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch):
    row = ItemRow("web-01", 7, "done", "running", "Done", "")
    for number in range(kept_html.MOST_SHAPES + 50):
        ROW.render(Context({"row": replace(row, problem=str(number))}))
    assert kept_html.kept_count() == kept_html.MOST_SHAPES


@override_settings(DEBUG=True)
def test_nothing_is_kept_while_somebody_develops():
    ROW.render(Context({"row": ItemRow("web-01", 7, "done", "running", "Done", "")}))
    assert kept_html.kept_count() == 0


def test_a_name_that_looks_like_a_mark_of_another_process_is_only_a_name():
    row = ItemRow(f"{'0' * 24}f", 7, "done", "running", "100000000000001", "")
    assert f"{'0' * 24}f" in ROW.render(Context({"row": row}))
