"""Who asks for help at machines that one looks after: a page, and the number that stands on every page."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import User
from vms.models import HelpRequest, MachineSet, VirtualMachine
from vms.pages import group_links
from vms.pages.machine_list import PersonRequest, login_needed

STOP_POLLING = 286  # says htmx


@dataclass(frozen=True)
class Row:
    pk: int
    person: User
    machine: VirtualMachine
    text: str
    asked_at: datetime
    group: MachineSet
    home: str


@require_GET
@login_needed
def page(request: PersonRequest) -> HttpResponse:
    return render(request, "vms/help.html", {"rows": rows_for(request.user)})


@require_GET
@never_cache
def badge(request: HttpRequest) -> HttpResponse:
    """To htmx, the number if it is another one. No redirect: who is logged out meanwhile may be filling in a form."""
    if not isinstance(request.user, User):
        return HttpResponse(status=STOP_POLLING)
    asked = HelpRequest.objects.for_steward(request.user.pk).count()
    if request.GET.get("seen") == str(asked):
        return HttpResponse(status=204)
    return render(request, "vms/_help_badge.html", {"asked": asked})


def rows_for(steward: User) -> list[Row]:
    """The longest first."""
    asked = list(HelpRequest.objects.for_steward(steward.pk).select_related("assignment__user", "assignment__vm"))
    groups = _groups(steward, {one.assignment.vm_id for one in asked})
    addresses = {group.pk: group_links.of(group, steward) for group in {*groups.values()}}
    return [
        Row(one.pk, one.assignment.user, one.assignment.vm, one.text, one.asked_at, group, addresses[group.pk])
        for one in asked
        if (group := groups.get(one.assignment.vm_id))
    ]


def _groups(steward: User, machines: set[int]) -> dict[int, MachineSet]:
    """For each machine a set of his, that of a class before another."""
    entries = MachineSet.machines.through.objects.filter(virtualmachine__in=machines, machineset__stewards=steward)
    ordered = entries.select_related("machineset").order_by("machineset__is_managed", "-machineset__pk")
    return {entry.virtualmachine_id: entry.machineset for entry in ordered}
