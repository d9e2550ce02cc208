"""A file that opens a machine's display in virt-viewer, without the portal between: only with SPICE_FILES."""

import logging

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from clusters import gateway, proxmox
from vms import registry
from vms.access import lookups
from vms.access.context import context_for
from vms.console import close_codes
from vms.inventory import identity
from vms.models import Operation, VirtualMachine
from vms.models.operations import ended
from vms.pages import remote_desktop
from vms.sentences import say

logger = logging.getLogger("vms.console")

# Settings of the viewer that replace those of the cluster.
FIXED = {
    "delete-this-file": "1",
    "toggle-fullscreen": "Shift+F11",
    "release-cursor": "Ctrl+Alt+R",
    "secure-attention": "Ctrl+Alt+Ins",
}


@require_POST
@login_required
def spice(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The file, valid for half a minute, or a page that says why there is none."""
    if not settings.SPICE_FILES:
        raise Http404
    machine = lookups.visible_or_404(request.user, pk)
    if refused := close_codes.refusal(context_for(machine, person=request.user)):
        return _no_file(request, machine, refused[1], status=close_codes.STATUSES[refused[0]])
    try:
        with gateway.connect(registry.get(machine.cluster_id)) as pve:
            opened = identity.ask_where_it_is(pve, machine, lambda: _open(pve, machine))
    except identity.AnotherMachine:
        return _no_file(request, machine, say("another-machine"), status=409)
    except proxmox.Refused:
        return _no_file(
            request, machine, _("The machine's display does not support SPICE. Open the console instead."), status=409
        )
    except proxmox.ProxmoxError as failure:
        logger.warning("SPICE of %s/%s: %s", machine.cluster_id, machine.vmid, failure.plain)
        return _no_file(
            request, machine, _("The cluster did not open the display. Open the console instead."), status=503
        )
    _record(machine, request.user)
    name = remote_desktop.file_name(machine).removesuffix(".rdp")
    return HttpResponse(
        viewer_file(opened, title=name),
        content_type="application/x-virt-viewer",
        headers={"Content-Disposition": f'attachment; filename="{name}.vv"'},
    )


def _open(pve: proxmox.Client, machine: VirtualMachine) -> proxmox.Spice:
    if not identity.confirm(pve, machine):
        raise identity.AnotherMachine
    return pve.spice(machine.node, machine.kind, machine.vmid)


def viewer_file(opened: proxmox.Spice, *, title: str) -> str:
    lines = {**opened.settings, **FIXED, "title": title}
    return "[virt-viewer]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())


def _no_file(request: AuthenticatedHttpRequest, machine: VirtualMachine, why: str, *, status: int) -> HttpResponse:
    return render(request, "vms/no_spice.html", {"machine": machine, "why": why}, status=status)


def _record(machine: VirtualMachine, user: User) -> None:
    now = timezone.now()
    Operation.objects.create(
        vm=machine,
        cluster_id=machine.cluster_id,
        vmid=machine.vmid,
        vm_name=machine.name,
        node=machine.node,
        action=Operation.Action.CONSOLE,
        state=Operation.State.DONE,
        requested_by=user,
        requested_by_name=user.get_username(),
        requested_at=now,
        admitted_at=now,
        sent_at=now,
        finished_at=now,
        **ended(say("spice-file")),
    )
