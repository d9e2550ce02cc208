"""*View as student*: the machines of a group as an assignee sees them, with the reasons for missing buttons."""

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from vms.access import lookups, rules
from vms.access.context import ActionContext, contexts_for
from vms.models import Assignment, Operation
from vms.pages import cards, group_links
from vms.pages.machine_group import group_or_404


@dataclass(frozen=True)
class StudentView:
    """A machine as its assignee sees it. `refusals`: the name of an action and why it is not possible."""

    card: cards.Card
    offered: tuple[str, ...]
    refusals: tuple[tuple[str, str], ...]


@require_GET
@login_required
def view_as_student(request: AuthenticatedHttpRequest, pk: int, person_pk: int) -> HttpResponse:
    """For a manager, about an assignee in the group, and only about machines of the group. Changes nothing."""
    found = group_or_404(request, pk)
    person = get_object_or_404(User, pk=person_pk)
    ours = lookups.machines_in(found, request.user).order_by().values("pk")
    held = Assignment.objects.live().filter(user=person, vm__in=ours)
    if not held.exists():
        raise Http404
    machines = list(
        lookups.visible_to(person)
        .filter(pk__in=held.order_by().values("vm"))
        .select_related("cluster__health", "cluster__sync")
        .order_by("cluster__name", "name", "vmid")
    )
    groups = cards.groups(machines, operable=lookups.operable_among(person, machines), for_staff=False)
    rule_context = contexts_for(machines, person=person)
    views = [_student_view(card, rule_context[card.pk]) for group in groups for card in group.cards]
    context = {
        "machine_group": found,
        "person": person,
        "groups": groups,
        "views": views,
        "back": group_links.url_for(found, request.user),
    }
    return render(request, "vms/view_as_student.html", context)


def _student_view(card: cards.Card, rule_context: ActionContext) -> StudentView:
    buttons = tuple(str(button.label) for button in (*card.buttons, *card.more))
    offered = (_("Open"), *buttons) if card.may_open else buttons
    said = [(str(action.label), rules.refusal(rule_context, action)) for action in Operation.REQUESTABLE]
    return StudentView(card, offered, tuple((label, refusal) for label, refusal in said if refusal))
