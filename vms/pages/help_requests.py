"""Help requests: students make and cancel them, managers see them on a page and mark them as done."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from accounts.printable import first_unprintable
from vms.access import lookups
from vms.models import Assignment, HelpRequest, MachineSet, VirtualMachine
from vms.pages import group_links
from vms.pages.machine_group import group_or_404

STOP_POLLING = 286  # says htmx


@dataclass(frozen=True)
class HelpRow:
    pk: int
    person: User
    machine: VirtualMachine
    text: str
    asked_at: datetime
    group: MachineSet
    group_url: str


@require_GET
@login_required
def help_requests(request: AuthenticatedHttpRequest) -> HttpResponse:
    return render(request, "vms/help_requests.html", {"rows": rows_for_manager(request.user)})


@require_GET
@never_cache
def badge(request: HttpRequest) -> HttpResponse:
    """To htmx: the number, if it changed. No redirect to the login: the user may be filling in a form."""
    if not isinstance(request.user, User):
        return HttpResponse(status=STOP_POLLING)
    asked = HelpRequest.objects.for_manager(request.user.pk).count()
    if request.GET.get("seen") == str(asked):
        return HttpResponse(status=204)
    return render(request, "vms/_help_badge.html", {"asked": asked})


def rows_for_manager(manager: User) -> list[HelpRow]:
    """Open help requests at the manager's machines, those who wait longest first."""
    asked = list(HelpRequest.objects.for_manager(manager.pk).select_related("assignment__user", "assignment__vm"))
    groups = _groups(manager, {one.assignment.vm_id for one in asked})
    addresses = {group.pk: group_links.url_for(group, manager) for group in {*groups.values()}}
    return [
        HelpRow(one.pk, one.assignment.user, one.assignment.vm, one.text, one.asked_at, group, addresses[group.pk])
        for one in asked
        if (group := groups.get(one.assignment.vm_id))
    ]


def _groups(manager: User, machines: set[int]) -> dict[int, MachineSet]:
    """For each machine one group of the manager; that of a class is preferred."""
    entries = MachineSet.machines.through.objects.filter(virtualmachine__in=machines, machineset__stewards=manager)
    ordered = entries.select_related("machineset").order_by("machineset__is_managed", "-machineset__pk")
    return {entry.virtualmachine_id: entry.machineset for entry in ordered}


@require_POST
@login_required
def ask(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The assignee asks the managers of the machine."""
    machine, assignment = _assigned_or_404(request, pk)
    text = _one_line(request.POST.get("text", ""))
    if first_unprintable(text) is not None:
        messages.error(request, _("Your text contains control characters. Remove them and ask again."))
    elif not HelpRequest.has_other_manager(machine, besides=request.user):
        messages.error(request, _("Nobody gets help requests for this machine. Ask your teacher directly."))
    elif HelpRequest.is_over_limit(request.user):
        messages.error(request, _("You asked for help several times in a few minutes. Please wait a little."))
    elif HelpRequest.ask(assignment, text=text):
        messages.success(request, _("Your request was sent. Your teacher sees it on every page of the portal."))
    else:
        messages.info(request, _("You have already asked for help. Your teacher sees your request."))
    return redirect("vms-machine", pk)


@require_POST
@login_required
def cancel(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    _machine, assignment = _assigned_or_404(request, pk)
    assignment.help_requests.close(by=request.user)
    return redirect("vms-machine", pk)


@require_POST
@login_required
def mark_done(request: AuthenticatedHttpRequest, pk: int, help_pk: int) -> HttpResponse:
    """A manager of the group marks the request as done."""
    found = group_or_404(request, pk)
    if not lookups.operates_group(request.user, found):
        raise Http404
    asked = HelpRequest.objects.filter(assignment__vm__in=lookups.machines_in(found, request.user).values("pk"))
    get_object_or_404(asked, pk=help_pk)
    HelpRequest.objects.filter(pk=help_pk).close(by=request.user)
    return redirect(group_links.url_for(found, request.user))


def _assigned_or_404(request: AuthenticatedHttpRequest, pk: int) -> tuple[VirtualMachine, Assignment]:
    machine = lookups.visible_or_404(request.user, pk)
    return machine, get_object_or_404(Assignment.objects.live(), vm=machine, user=request.user)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
