"""Tags for the parts that repeat on a page. Their HTML is kept: see `vms.pages.kept_html`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django import template
from django.template import Context
from django.template.base import FilterExpression, Node, Parser, Token

from clusters.templatetags.ages import ago
from vms.pages import kept_html
from vms.pages.batch_progress import ItemRow
from vms.pages.cards import Card
from vms.pages.dashboard import Assignee, GroupMachine
from vms.pages.kept_html import ADDRESS, ELAPSED, GROUP_PK, NAME, NODE, PERSON, PERSON_PK, PK, VMID

register = template.Library()

Values = dict[str | int, object]


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
    shape, values = _shape(card)
    flags = {name: context.get(name, "") for name in ("alone", "single", "origin")}
    told = {"card": shape, "since": _since(card), **flags}
    return kept_html.render("vms/_card.html", told, values, context.get("csrf_token"))


@kept
def machine_tile(context: Context, entry: GroupMachine) -> str:
    """`_tile.html`, which looks at `may_ask` and `all_chosen` of the page, and at the primary key of the group."""
    known = context["dashboard"].tiles if "dashboard" in context else {}
    key = (entry.card.pk, context.get("may_ask", ""), context.get("all_chosen", ""), context["machine_group"].pk)
    if key not in known:
        html = _tile(context, entry)
        if "csrfmiddlewaretoken" in html or entry.help or entry.card.age_at or entry.card.elapsed:
            return html  # it is of this request, or of this moment
        known[key] = html
    return str(known[key])


def _tile(context: Context, entry: GroupMachine) -> str:
    card, values = _shape(entry.card)
    told = {
        "entry": replace(entry, card=card, assignee=Assignee(PERSON_PK, PERSON) if entry.assignee else None),
        "since": _since(entry.card),
        "asked_since": ago(entry.help.since) if entry.help else "",
        "group_pk": GROUP_PK,
        **{name: context.get(name, "") for name in ("may_ask", "all_chosen")},
    }
    values[GROUP_PK] = context["machine_group"].pk
    if entry.assignee:
        values |= {PERSON: entry.assignee.name, PERSON_PK: entry.assignee.pk}
    return kept_html.render("vms/_tile.html", told, values, context.get("csrf_token"))


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
