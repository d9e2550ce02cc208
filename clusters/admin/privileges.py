"""The privilege check in the admin, and what a new cluster's page begins with: the same lines from the same place."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import stored_messages
from clusters import privileges, proxmox
from clusters.gateway import DatabaseLoginThrottle
from clusters.models import Cluster

Admin = admin.ModelAdmin[Cluster]


def urls(model_admin: Admin) -> list[URLPattern]:
    wrap = model_admin.admin_site.admin_view
    check = wrap(require_POST(partial(view, model_admin)))
    return [path("<int:pk>/privileges/", check, name="clusters_cluster_privileges")]


def view(model_admin: Admin, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the cluster with what is stored. Nothing is changed here or there, but a login is, so it takes a POST."""
    stored = model_admin.get_object(request, str(pk))
    if stored is None:
        raise Http404
    if not request.user.has_perm("clusters.test_cluster"):
        raise PermissionDenied
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": _("Privileges at %(name)s") % {"name": stored.name},
        "cluster": stored,
    }
    try:
        context["report"] = privileges.check(stored.config, throttle=DatabaseLoginThrottle())
    except proxmox.ProxmoxError as error:
        context["problem"] = stored_messages.render(error.plain)
    return render(request, "admin/clusters/cluster/privileges.html", context)


def setup() -> list[tuple[int, str, str]]:
    """For each major version, the newest first, an id for its box and what is typed at a new cluster."""
    return [(major, f"setup-{major}", "\n".join(privileges.setup_commands(major))) for major in privileges.MAJORS]
