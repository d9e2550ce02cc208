"""Tags for the parts that repeat on a page. Their HTML is kept: see `vms.pages.kept_html`."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.template.base import FilterExpression, Node, Parser, Token
from django.utils.html import escape

from clusters.templatetags.ages import ago
from vms.pages import kept_html
from vms.pages.batch_progress import ItemRow
from vms.pages.cards import Card, Group
from vms.pages.dashboard import Assignee, Dashboard, GroupMachine
from vms.pages.kept_html import ADDRESS, CSRF, ELAPSED, GROUP_PK, NAME, NODE, PERSON, PERSON_PK, PK, VMID

register = template.Library()

Values = dict[str | int, object]

# What `_card.html` looks at besides the card.
CARD_FLAGS = ("alone", "single", "origin")


class KeptNode(Node):
    """Renders one item by a function, which escapes: what a node returns is not escaped again."""

    def __init__(self, item: FilterExpression, render: Callable[[Context, Any], str]) -> None:
        self._item, self._render = item, render

    def render(self, context: Context) -> str:
        return self._render(context, self._item.resolve(context))


def kept(render: Callable[[Context, Any], str]) -> Callable[[Context, Any], str]:
    """Register a tag with one argument."""

    @register.tag(render.__name__)
    def compile_tag(parser: Parser, token: Token) -> KeptNode:
        _name, item = token.split_contents()
        return KeptNode(parser.compile_filter(item), render)

    return render


@kept
def machine_card(context: Context, card: Card) -> str:
    """`_card.html`, which looks at `alone`, `single` and `origin` of the page."""
    return _card(card, context.get("csrf_token"), **{name: context.get(name, "") for name in CARD_FLAGS})


@kept
def machine_cards(context: Context, group: Group) -> str:
    """The cards of a group of the page's `listed`, which keeps their HTML for as long as it is kept itself."""
    flags = {name: context.get(name, "") for name in CARD_FLAGS}
    make = lambda: "".join(_card(card, CSRF, **flags) for card in group.cards)  # noqa: E731
    return _remembered(context, context["listed"].html, (group.cluster_id, *flags.values()), make)


@kept
def machine_tiles(context: Context, dashboard: Dashboard) -> str:
    """`_tile.html` for each machine. It looks at `may_ask` and `all_chosen` of the page, and at the group."""
    flags = {name: context.get(name, "") for name in ("may_ask", "all_chosen")}
    group = context["machine_group"].pk
    make = lambda: "".join(_tile(entry, group, flags) for entry in dashboard.machines)  # noqa: E731
    return _remembered(context, dashboard.html, (group, *flags.values()), make)


def _remembered(context: Context, known: dict[Hashable, str], key: Hashable, make: Callable[[], str]) -> str:
    """HTML with the mark of a CSRF token, which gives its place to this request's."""
    html = None if settings.DEBUG else known.get(key)  # templates change while somebody develops
    if html is None:
        html = known[key] = make()
    return html.replace(CSRF, escape(context.get("csrf_token"))) if CSRF in html else html


def _card(card: Card, csrf_token: object, **flags: Any) -> str:
    shape, values = _shape(card)
    told = {"card": shape, "since": _since(card), **flags}
    return kept_html.render("vms/_card.html", told, values, csrf_token)


def _tile(entry: GroupMachine, group: int, flags: dict[str, Any]) -> str:
    card, values = _shape(entry.card)
    told = {
        "entry": replace(entry, card=card, assignee=Assignee(PERSON_PK, PERSON) if entry.assignee else None),
        "since": _since(entry.card),
        "asked_since": ago(entry.help.since) if entry.help else "",
        "group_pk": GROUP_PK,
        **flags,
    }
    values[GROUP_PK] = group
    if entry.assignee:
        values |= {PERSON: entry.assignee.name, PERSON_PK: entry.assignee.pk}
    return kept_html.render("vms/_tile.html", told, values, CSRF)


@kept
def batch_row(_context: Context, row: ItemRow) -> str:
    """`_batch_row.html`."""
    shape = replace(row, name=NAME, machine=PK if row.machine else None)
    return kept_html.render("vms/_batch_row.html", {"row": shape}, {NAME: row.name, PK: row.machine}, None)


def _shape(card: Card) -> tuple[Card, Values]:
    """The card with marks in place of what is its own, and what the marks stand for."""
    shape = replace(
        card,
        pk=PK,
        name=NAME,
        vmid=VMID,
        node=NODE,
        address=card.address and ADDRESS,
        elapsed=card.elapsed and ELAPSED,
        assignee=card.assignee and PERSON,
    )
    own: Values = {
        PK: card.pk, NAME: card.name, VMID: card.vmid, NODE: card.node, ADDRESS: card.address, ELAPSED: card.elapsed,
        PERSON: card.assignee,
    }  # fmt: skip
    return shape, own


def _since(card: Card) -> str:
    """The age of the status in words, which goes on by itself."""
    return ago(card.age_at) if card.age_at else ""
