"""Buttons beside failures in the list: sync a cluster that does not respond, and dismiss a failed operation."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from clusters.models import Cluster
from vms import inventory
from vms.access import lookups
from vms.models import ClusterSync, Operation
from vms.pages.machine_action import origin_url

# How often the button reads the details of a machine.
READ_AGAIN_EVERY = timedelta(seconds=5)


@require_POST
@login_required
def request_sync(request: AuthenticatedHttpRequest, cluster_id: str) -> HttpResponse:
    """Let a worker sync the cluster soon. For users with a machine there."""
    visible = Cluster.objects.active().filter(machines__in=lookups.visible_to(request.user)).distinct()
    cluster = get_object_or_404(visible, cluster_id=cluster_id)
    if ClusterSync.request_sync_throttled(cluster.cluster_id):
        text = _("Trying to reach %(name)s again. This page updates when it responds.")
    else:
        text = _("The portal tried %(name)s a moment ago. This page updates when it responds.")
    messages.info(request, text % {"name": cluster.name})
    return redirect(f"{reverse('vms-list')}?{urlencode({'cluster': request.POST.get('cluster', '')})}")


@require_POST
@login_required
def read_again(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Let a worker read the machine's addresses and snapshots, and its cluster, now."""
    machine = lookups.operable_or_404(request.user, pk)
    inventory.look_again([machine], every=READ_AGAIN_EVERY)
    ClusterSync.request_sync_throttled(machine.cluster_id)
    messages.info(request, _("Addresses and snapshots are being read again. This page updates by itself."))
    return redirect("vms-machine", pk)


@require_POST
@login_required
def dismiss(request: AuthenticatedHttpRequest, pk: int, operation: UUID) -> HttpResponse:
    """Hide the failure on the machine's cards. The history keeps it, and later failures are shown."""
    machine = lookups.operable_or_404(request.user, pk)
    failed = get_object_or_404(Operation.objects.filter(vm=machine).exclude(finished_at=None), pk=operation)
    Operation.objects.filter(pk=failed.pk, dismissed_at=None).update(dismissed_at=timezone.now())
    return redirect(origin_url(request, machine))
