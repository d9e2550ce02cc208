"""The page with the screen of a machine. What it asks for while it is open is in `console`."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.models import User
from vms.access import lookups, rules
from vms.console import close_codes
from vms.models import Assignment, Operation, VirtualMachine
from vms.pages import cards
from vms.pages.machine_list import PersonRequest, login_needed

Action = Operation.Action


@dataclass(frozen=True)
class Outset:
    """How the page begins: a state that its script knows, the same in a word, and what to do about it."""

    state: str
    word: str
    sentence: str


@require_GET
@login_needed
def console(request: PersonRequest, pk: int) -> HttpResponse:
    """Without a script it says how the machine is, and lets start it."""
    machine = lookups.visible_or_404(request.user, pk)
    now = rules.situation(machine, person=request.user)
    operable = {machine.pk} if now.may_operate else set()
    card = cards.groups([machine], operable=operable, for_staff=False)[0].cards[0]
    kind, refusal = close_codes.refusal(now) or ("", "")
    outset = _outset(card, machine, kind, refusal)
    context = {
        "machine": machine,
        "card": card,
        "state": outset.state,
        "word": outset.word,
        "sentence": outset.sentence,
        "rests": outset.state == "refused" and kind == "unreachable",
        "may_start": outset.state == "off" and not rules.why_not(now, Action.START),
        "may_watch": now.keeps and now.may_operate,
        "mode": _mode(machine, request.user, keeps=now.keeps),
    }
    return render(request, "vms/console.html", context)


def _outset(card: cards.Card, machine: VirtualMachine, kind: str, refusal: str) -> Outset:
    if not refusal:
        return Outset("connecting", _("Connecting"), _("Connecting to the screen of the machine …"))
    if kind == "denied":  # also when the machine runs
        return Outset("refused", _("Not connected"), refusal)
    if card.busy and machine.status != "running":
        return Outset("waiting", card.status, _("The screen appears by itself as soon as the machine runs."))
    if machine.status != "running":
        why = card.trouble or card.reason or _("The machine has a screen while it runs.")
        return Outset("off", card.status, why)
    return Outset("refused", _("Not connected"), refusal)


def _mode(machine: VirtualMachine, person: User, *, keeps: bool) -> str:
    """Who looks after a machine that somebody else holds begins by watching: two mice at once startle people."""
    if keeps and Assignment.objects.live().filter(vm=machine).exclude(user=person).exists():
        return "view"
    return "control"
