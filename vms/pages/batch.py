"""The page of a batch: its progress, what failed, and buttons to cancel, retry and resume it."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from vms.access import lookups
from vms.models import Batch, VirtualMachine
from vms.pages import batch_progress, bulk_actions, group_links

# htmx stops polling at this status.
STOP_POLLING = 286


@require_GET
@login_required
def batch(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The whole page, or to htmx what changes of it, or 204 when it would say the same."""
    found = _visible_or_404(request, pk)
    shown = batch_progress.for_batch(found, for_staff=request.user.is_staff)
    if request.htmx and not shown.is_finished and request.GET.get("seen") == shown.fingerprint:
        return HttpResponse(status=204)
    context = {
        "batch": found,
        "progress": shown,
        "may_ask": lookups.operates_group(request.user, found.machine_set),
        "poll": f"{request.path}?seen={shown.fingerprint}",
    }
    if request.htmx:
        status = STOP_POLLING if shown.is_finished else 200
        return render(request, "vms/_batch.html", context, status=status)
    context["back"] = group_links.url_for(found.machine_set, request.user) if found.machine_set else reverse("vms-list")
    return render(request, "vms/batch.html", context)


@require_POST
@login_required
def cancel(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Cancel the operations that still wait. Those that were sent to a cluster go on."""
    found = _operable_or_404(request, pk)
    cancelled = found.cancel_waiting(by=request.user)
    if cancelled:
        text = ngettext("%(n)d waiting operation was cancelled.", "%(n)d waiting operations were cancelled.", cancelled)
        messages.success(request, text % {"n": cancelled})
    else:
        messages.info(request, _("No operation is waiting any more."))
    return redirect("vms-batch", pk)


@require_POST
@login_required
def retry(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Request again what failed or was not possible, in a new batch."""
    return _again(request, pk, {batch_progress.FAILED, batch_progress.REFUSED})


@require_POST
@login_required
def resume(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Request again what was cancelled, or waited too long."""
    return _again(request, pk, {batch_progress.CANCELLED})


def _again(request: AuthenticatedHttpRequest, pk: uuid.UUID, states: set[str]) -> HttpResponse:
    found = _operable_or_404(request, pk)
    items = found.items.select_related("operation").order_by("position")
    chosen = [item.machine_id for item in items if item.machine_id and batch_progress.state_of(item) in states]
    wanted = bulk_actions.BulkRequest(
        action=found.action,
        machines=list(bulk_actions.operable(VirtualMachine.objects.filter(pk__in=chosen), request.user)),
        machine_set=found.machine_set,
        snapshot=found.snapshot,
    )
    return bulk_actions.submit(request, wanted, back=found.get_absolute_url())


def _visible_or_404(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> Batch:
    found: Batch = get_object_or_404(Batch.objects.visible_to(request.user).select_related("machine_set"), pk=pk)
    return found


def _operable_or_404(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> Batch:
    found = _visible_or_404(request, pk)
    if not lookups.operates_group(request.user, found.machine_set):
        raise Http404
    return found
