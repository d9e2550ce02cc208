"""*Why can't I?*, a page for staff: the decision of each rule about a machine and a person."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms.access import lookups, rules
from vms.access.context import context_for
from vms.models import Operation, VirtualMachine

# What apps above know about why a machine runs, or will be stopped, as a sentence; empty: nothing.
STANDINGS: list[Callable[[VirtualMachine], str]] = []

OF_SNAPSHOTS = (Operation.Action.ROLLBACK, Operation.Action.DELETE_SNAPSHOT)


@dataclass(frozen=True)
class ActionColumn:
    """An action and its first refusal; empty when it is allowed."""

    label: str
    refusal: str


@require_GET
@login_required
def explain(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Rules by actions for `?person=NAME`; without it, for the assignee."""
    if not lookups.sees_all(request.user):
        raise Http404
    machine = lookups.visible_or_404(request.user, pk)
    asked = request.GET.get("person", "").replace("\0", "").strip()[:150]
    assignee = User.objects.filter(assignments__vm=machine, assignments__ended_at=None).first()
    person = User.objects.filter(username=asked).first() if asked else assignee or request.user
    context: dict[str, object] = {"machine": machine, "person": person, "asked": asked, "assignee": assignee}
    context["standing"] = " ".join(filter(None, (words(machine) for words in STANDINGS)))
    if person:
        context["asked"] = person.username
        context |= _table(machine, person)
    return render(request, "vms/explain.html", context)


def _refusal(decisions: list[rules.Decision]) -> str:
    return next((one.text for one in decisions if not one.is_allowed), "")


def _table(machine: VirtualMachine, person: User) -> dict[str, object]:
    rule_context = context_for(machine, person=person)
    by_action = {action: rules.decisions(rule_context, action) for action in Operation.REQUESTABLE}
    lacking = {} if machine.snapshots.exists() else dict.fromkeys(OF_SNAPSHOTS, _("The machine has no snapshot."))
    columns = [
        ActionColumn(str(action.label), _refusal(decisions) or lacking.get(action, ""))
        for action, decisions in by_action.items()
    ]
    by_rule = zip(*by_action.values(), strict=True)
    rows = [(_(decisions[0].rule), [one.is_allowed for one in decisions]) for decisions in by_rule]
    refusals = {column.refusal for column in columns}
    nothing = refusals.pop() if len(refusals) == 1 else ""
    return {
        "columns": columns,
        "nothing": nothing,
        "rows": rows,
        "sees": lookups.visible_to(person).filter(pk=machine.pk).exists(),
    }
