"""The pages of machine groups, for their managers."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from vms import operations
from vms.access import lookups
from vms.models import MachineSet, VirtualMachine
from vms.pages import bulk_actions, dashboard, group_links


@require_GET
@login_required
def machine_groups(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The groups that the user may open, with the number of their machines."""
    there = Q(machines__gone_at=None, machines__template=False, machines__cluster__is_active=True)
    found = lookups.groups_for(request.user).annotate(machine_count=Count("machines", filter=there, distinct=True))
    return render(request, "vms/machine_groups.html", {"machine_groups": found})


@require_GET
@login_required
def machine_group(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    return group_page(request, group_or_404(request, pk))


def group_page(
    request: AuthenticatedHttpRequest,
    found: MachineSet,
    *,
    template: str = "vms/machine_group.html",
    more: dict[str, Any] | None = None,
    notes: Mapping[int, str] | None = None,
) -> HttpResponse:
    """The whole page; to htmx only the part that changes, or 204 when nothing changed.

    The caller has checked that the user may see the group. `more` is for a template that extends the page;
    `notes` are sentences on the tiles of machines, by primary key.
    """
    shown = dashboard.kept_for_person(found, request.user).with_notes(notes or {})
    if request.htmx and request.GET.get("seen") == shown.fingerprint:
        return HttpResponse(status=204)
    context = {
        "machine_group": found,
        "dashboard": shown,
        "busy": shown.is_busy,
        "running": shown.running,
        "may_ask": lookups.operates_group(request.user, found),
        "all_chosen": request.GET.get("choose") == "all",
        "poll": f"{request.path}?seen={shown.fingerprint}",
        **(more or {}),
    }
    return render(request, "vms/_machine_group.html" if request.htmx else template, context)


@require_POST
@login_required
def request_action(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Request one action for the selected machines, or for all in one state."""
    found = group_or_404(request, pk)
    action = request.POST.get("action", "")
    if action not in operations.BATCH_ACTIONS or not lookups.operates_group(request.user, found):
        raise Http404
    machines = bulk_actions.operable(_chosen(request, found), request.user)
    wanted = bulk_actions.BulkRequest(action=action, machines=list(machines), machine_set=found)
    return bulk_actions.submit(request, wanted, back=group_links.url_for(found, request.user))


def group_or_404(request: AuthenticatedHttpRequest, pk: int) -> MachineSet:
    return get_object_or_404(lookups.groups_for(request.user), pk=pk)


def _chosen(request: AuthenticatedHttpRequest, found: MachineSet) -> QuerySet[VirtualMachine]:
    machines = lookups.machines_in(found, request.user)
    match request.POST.get("whose", ""):
        case "stopped" | "running" as status:
            return machines.filter(status=status)
        case "all":
            return machines
    ticked = [int(pk) for pk in request.POST.getlist("machine") if pk.isascii() and pk.isdigit() and len(pk) < 10]
    return machines.filter(pk__in=ticked[: operations.MAX_MACHINES + 1])
