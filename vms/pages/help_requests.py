"""Asking for help at a machine, taking it back, and saying that somebody was there."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from vms.access import lookups
from vms.models import Assignment, HelpRequest, VirtualMachine
from vms.pages import group_links
from vms.pages.machine_group import set_or_404
from vms.pages.machine_list import PersonRequest, login_needed


@require_POST
@login_needed
def ask(request: PersonRequest, pk: int) -> HttpResponse:
    """Whoever holds the machine asks whoever looks after it."""
    machine, held = _held_or_404(request, pk)
    if not HelpRequest.reaches_somebody(machine, besides=request.user):
        messages.error(request, _("Nobody looks after this machine in the portal. Ask your teacher directly."))
    elif HelpRequest.is_too_much(request.user):
        messages.error(request, _("You have asked for help several times within minutes. Wait a little, please."))
    elif HelpRequest.ask(held, text=_one_line(request.POST.get("text", ""))):
        messages.success(request, _("Your teacher sees your request on every page of the portal."))
    else:
        messages.info(request, _("You are asking for help already. Your teacher sees it."))
    return redirect("vms-machine", pk)


@require_POST
@login_needed
def take_back(request: PersonRequest, pk: int) -> HttpResponse:
    _machine, held = _held_or_404(request, pk)
    held.help_requests.close(by=request.user)
    return redirect("vms-machine", pk)


@require_POST
@login_needed
def done(request: PersonRequest, pk: int, help_pk: int) -> HttpResponse:
    """A steward of the set says that it is settled."""
    found = set_or_404(request, pk)
    if not lookups.operates_set(request.user, found):
        raise Http404
    asked = HelpRequest.objects.filter(assignment__vm__in=lookups.machines_of(found, request.user).values("pk"))
    get_object_or_404(asked, pk=help_pk)
    HelpRequest.objects.filter(pk=help_pk).close(by=request.user)
    return redirect(group_links.of(found, request.user))


def _held_or_404(request: PersonRequest, pk: int) -> tuple[VirtualMachine, Assignment]:
    machine = lookups.visible_or_404(request.user, pk)
    return machine, get_object_or_404(Assignment.objects.live(), vm=machine, user=request.user)


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())[:200]
