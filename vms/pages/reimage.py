"""Re-images a machine, and the page of a group's earlier machines, from where they come back."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from vms.access import lookups
from vms.models import MadeMachine
from vms.pages import group_links
from vms.pages.machine_group import group_or_404
from vms.provisioning import earlier, reimaging, replacing


@require_http_methods(["GET", "POST"])
@login_required
def reimage(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What will happen to the machine, and the button for it."""
    made = _made_or_404(request, pk)
    replacement = reimaging.under_way(made)
    if replacement:
        return redirect("vms-run", replacement.run_id)
    if request.method == "POST":
        try:
            return redirect(reimaging.begin(made, by=request.user).get_absolute_url())
        except replacing.Obstacle as obstacle:
            messages.error(request, obstacle.text)
            return redirect("vms-reimage", pk)
    context = {"machine": made.vm, "made": made, "days": settings.KEEP_EARLIER_MACHINES_DAYS}
    return render(request, "vms/reimage.html", context)


@require_GET
@login_required
def earlier_machines(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    group = group_or_404(request, pk)
    context = {
        "group": group,
        "machines": earlier.of_group(group),
        "may_ask": lookups.operates_group(request.user, group),
        "back": group_links.url_for(group, request.user),
    }
    return render(request, "vms/earlier_machines.html", context)


@require_POST
@login_required
def bring_back(request: AuthenticatedHttpRequest, pk: int, made_pk: int) -> HttpResponse:
    group = group_or_404(request, pk)
    if not lookups.operates_group(request.user, group):
        raise Http404
    made = get_object_or_404(earlier.of_group(group), pk=made_pk)
    try:
        replacing.bring_back(made, by=request.user)
    except replacing.Obstacle as obstacle:
        messages.error(request, obstacle.text)
        return redirect("vms-set-earlier", pk)
    text = _("%(name)s is back. The machine that had taken its place is an earlier machine now.")
    messages.success(request, text % {"name": made.name})
    return redirect("vms-machine", made.vm_id)


def _made_or_404(request: AuthenticatedHttpRequest, pk: int) -> MadeMachine:
    """A machine that was made here, in a group that the person manages."""
    machine = lookups.operable_or_404(request.user, pk)
    made = reimaging.made_row(machine.pk)
    if made is None or not lookups.groups_for(request.user).filter(pk=made.run.machine_set_id).exists():
        raise Http404
    return made
