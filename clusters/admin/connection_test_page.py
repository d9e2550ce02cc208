"""The page *Test connection* of the admin: uses the values in the form before anything is saved."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clusters import connection_test
from clusters.models import Cluster

Admin = admin.ModelAdmin[Cluster]


def urls(model_admin: Admin) -> list[URLPattern]:
    test = model_admin.admin_site.admin_view(require_POST(partial(view, model_admin)))
    return [
        path("add/test/", test, name="clusters_cluster_test_new"),
        path("<int:pk>/test/", test, name="clusters_cluster_test"),
    ]


def view(model_admin: Admin, request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Test what the form says, without saving it. A stored secret is used only where the target is the same."""
    stored = model_admin.get_object(request, str(pk)) if pk else None
    if pk and stored is None:
        raise Http404
    if not (model_admin.has_change_permission(request, stored) if pk else model_admin.has_add_permission(request)):
        raise PermissionDenied
    form = model_admin.get_form(request, stored, change=bool(stored))(request.POST, instance=stored)
    result, is_stored = None, not form.has_changed()
    if form.is_valid():
        test = connection_test.run_and_record if is_stored else connection_test.run
        result = test(form.instance.config)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": stored,
        "title": _("Test connection"),
        "form": form,
        "result": result,
        "is_sync_due": is_stored and stored and stored.is_active,
    }
    htmx: Any = getattr(request, "htmx", None)
    return render(request, f"admin/clusters/cluster/{'_' if htmx else ''}connection_test.html", context)
