"""*Check this template* and *Privileges for making machines*: pages of the admin that ask the cluster."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import stored_messages
from accounts.http import changeable_or_404
from clusters import proxmox
from clusters.models import ProvisioningAccess
from vms.models import MachineTemplate
from vms.provisioning import making_check, template_check

Admin = admin.ModelAdmin[MachineTemplate]


def urls(model_admin: Admin) -> list[URLPattern]:
    wrap = model_admin.admin_site.admin_view
    check = wrap(require_POST(partial(check_view, model_admin)))
    asked = wrap(require_http_methods(["GET", "HEAD", "POST"])(partial(privileges_view, model_admin)))
    return [
        path("<int:pk>/check/", check, name="vms_machinetemplate_check"),
        path("<int:pk>/privileges/", asked, name="vms_machinetemplate_privileges"),
    ]


def check_view(model_admin: Admin, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the cluster about each copy, save what it says, and go back to the template, which shows it."""
    template = _template_or_404(model_admin, request, pk)
    try:
        found = template_check.check(template)
    except proxmox.ProxmoxError as error:
        messages.error(request, stored_messages.render(error.plain))
    else:
        if not found:
            messages.warning(request, _("It has no copies yet: list the templates on the cluster below."))
        elif all(one.is_ready for one in found):
            messages.success(request, _("Machines can be made out of all copies. Read the notes below."))
        else:
            messages.error(request, _("Not all copies can be used. The reasons are below."))
    return redirect("admin:vms_machinetemplate_change", pk)


def privileges_view(model_admin: Admin, request: HttpRequest, pk: int) -> HttpResponse:
    """What a token takes for the published templates of this cluster; by POST, what the stored one has."""
    template = _template_or_404(model_admin, request, pk)
    cluster = template.cluster
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": _("Privileges for making machines at %(name)s") % {"name": cluster.name},
        "template": template,
        "access": ProvisioningAccess.objects.filter(cluster=cluster).first(),
    }
    if request.method != "POST":
        lines = making_check.lines_for(cluster.config)
        context["setup"] = [(major, f"setup-{major}", "\n".join(found)) for major, found in lines.items()]
    else:
        try:
            context["found"] = making_check.check(cluster.config)
        except proxmox.ProxmoxError as error:
            context["problem"] = stored_messages.render(error.plain)
    return render(request, "admin/vms/machinetemplate/privileges.html", context)


def _template_or_404(model_admin: Admin, request: HttpRequest, pk: int) -> MachineTemplate:
    found: MachineTemplate = changeable_or_404(model_admin, request, pk)
    return found
