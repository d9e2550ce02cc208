"""The page of a provisioning run: the step and the outcome of each machine, and buttons to cancel and retry."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from vms.access import lookups
from vms.models import ProvisioningRun
from vms.pages import group_links, run_progress
from vms.provisioning import permission, running

# htmx stops polling at this status.
STOP_POLLING = 286

# Milliseconds between two questions of the page.
POLL_EVERY = 750


@require_GET
@login_required
def run(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The whole page, or to htmx what changes of it, or 204 when it would say the same."""
    found = _visible_or_404(request, pk)
    shown = run_progress.for_run(found)
    if request.htmx and not shown.is_finished and request.GET.get("seen") == shown.fingerprint:
        return HttpResponse(status=204)
    context = {
        "run": found,
        "progress": shown,
        "may_ask": lookups.operates_group(request.user, found.machine_set),
        "poll": f"{request.path}?seen={shown.fingerprint}",
        "poll_every": POLL_EVERY,
    }
    if request.htmx:
        return render(request, "vms/_run.html", context, status=STOP_POLLING if shown.is_finished else 200)
    context["back"] = group_links.url_for(found.machine_set, request.user)
    return render(request, "vms/run.html", context)


@require_POST
@login_required
def cancel(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Cancel the machines that were not begun. Those that are being made go on."""
    cancelled = running.cancel_waiting(_operable_or_404(request, pk), by=request.user)
    if cancelled:
        text = ngettext("%(n)d waiting machine was cancelled.", "%(n)d waiting machines were cancelled.", cancelled)
        messages.success(request, text % {"n": cancelled})
    else:
        messages.info(request, _("No machine is waiting any more."))
    return redirect("vms-run", pk)


@require_POST
@login_required
def retry(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Have the failed machines go on from where they failed."""
    found = _operable_or_404(request, pk)
    if refusal := permission.refusal(found, by=request.user):
        messages.error(request, refusal.words)
        return redirect("vms-run", pk)
    again = running.retry_failed(found)
    if again:
        text = ngettext("%(n)d machine is tried again.", "%(n)d machines are tried again.", again)
        messages.success(request, text % {"n": again})
    else:
        messages.info(request, _("No machine has failed."))
    return redirect("vms-run", pk)


def _visible_or_404(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> ProvisioningRun:
    groups = lookups.groups_for(request.user)
    runs = ProvisioningRun.objects.filter(machine_set__in=groups).select_related("machine_set", "template")
    found: ProvisioningRun = get_object_or_404(runs, pk=pk)
    return found


def _operable_or_404(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> ProvisioningRun:
    found = _visible_or_404(request, pk)
    if not lookups.operates_group(request.user, found.machine_set):
        raise Http404
    return found
