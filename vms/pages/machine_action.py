"""Requests one action on one machine: start, shut down, and so on. Actions that can lose work are confirmed first."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from vms import operations
from vms.access import lookups, rules
from vms.access.context import context_for
from vms.models import Operation, VirtualMachine

# The actions that have a button here.
OFFERED = {"start", "shutdown", "stop", "reboot", "reset", "suspend", "resume"}

# Pages of one machine that can be the origin of an action.
PAGES = {"machine": "vms-machine", "console": "vms-console"}


@require_http_methods(["GET", "POST"])
@login_required
def act(request: AuthenticatedHttpRequest, pk: int, action: str) -> HttpResponse:
    """GET asks for confirmation, POST records the request. A worker sends it to the cluster."""
    if action not in OFFERED:
        raise Http404
    machine = lookups.operable_or_404(request.user, pk)
    back = origin_url(request, machine)
    if request.method == "GET":
        return _confirm(request, machine, Operation.Action(action), back)
    try:
        _operation, new = operations.request(machine, action, by=request.user)
    except operations.Refused as refusal:
        messages.error(request, f"{machine.display_name}: {refusal}")
    else:
        if not new:
            messages.info(request, _("%(name)s: this is already in progress.") % {"name": machine.display_name})
    return redirect(back)


def origin_url(request: AuthenticatedHttpRequest, machine: VirtualMachine) -> str:
    """The URL of the page where the user was: the machine's page or console, or a list."""
    origin = _origin(request)
    if origin in PAGES:
        return reverse(PAGES[origin], args=[machine.pk])
    cluster = "" if origin == "all" else machine.cluster_id
    return f"{reverse('vms-list')}?{urlencode({'cluster': cluster})}#machine-{machine.pk}"


def _origin(request: AuthenticatedHttpRequest) -> str:
    origin = request.GET.get("from", request.POST.get("from", ""))
    return origin if origin == "all" or origin in PAGES else ""


def _confirm(
    request: AuthenticatedHttpRequest, machine: VirtualMachine, action: Operation.Action, back: str
) -> HttpResponse:
    refusal = rules.refusal(context_for(machine, person=request.user), action)
    context = {"machine": machine, "action": action, "refusal": refusal, "back": back, "origin": _origin(request)}
    return render(request, "vms/confirm.html", context, status=409 if refusal else 200)
