"""The map of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts import urls as accounts
from accounts.views import LogIn, LogOut
from classes import urls as classes
from labportal import api, api_pages, errors, health, metrics
from vms import urls as vms

urlpatterns = [
    path("", vms.home, name="home"),
    path("portal", vms.home),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("accounts/login/", LogIn.as_view(), name="login"),
    path("accounts/logout/", LogOut.as_view(), name="logout"),
    path("accounts/", include(accounts)),
    path("vms/", include(vms.machines)),
    path("sets/", include(vms.sets)),
    path("batches/", include(vms.batches)),
    path("runs/", include(vms.runs)),
    path("classes/", include(classes.classes)),
    path("join/", include(classes.join_urls)),
    path("stops/", include(classes.stop_urls)),
    path("calendar/", include(classes.calendar_urls)),
    path("clusters/", include(vms.clusters)),
    path("api/", include(vms.legacy)),
    path(f"{api.PREFIX}openapi.json", api_pages.openapi, name="api-schema"),
    path(f"{api.PREFIX}docs/", api_pages.documentation, name="api-docs"),
    path(api.PREFIX, include(api.urls)),
    # Where the legacy portal's documents say that clusters are managed.
    path("admin/clusters/", RedirectView.as_view(pattern_name="admin:clusters_cluster_changelist")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/logout/", LogOut.as_view()),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler500 = errors.server_error
