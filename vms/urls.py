from django.urls import path
from django.views.generic import RedirectView

from vms import api, not_adopted, status, views

machines = [
    path("", views.machine_list, name="vms-list"),
    path("switch-cluster/", views.switch_cluster, name="vms-switch-cluster"),
    path("import-clusters/", not_adopted.import_now, name="vms-import-clusters"),
    path("<int:pk>/<slug:action>/", views.act, name="vms-act"),
]

clusters = [
    path("", status.clusters, name="vms-clusters"),
    path("<str:cluster_id>/sync/", status.sync_now, name="vms-sync-now"),
]

legacy = [
    path("clusters", api.clusters, name="api-clusters"),
    path("switch-cluster", api.switch_cluster, name="api-switch-cluster"),
]

home = RedirectView.as_view(pattern_name="vms-list")
