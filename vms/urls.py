from django.urls import path
from django.views.generic import RedirectView

from vms import api, console_page, machine_page, not_adopted, snapshots, spice, status, views, why
from vms.console import views as consoles

machines = [
    path("", views.machine_list, name="vms-list"),
    path("switch-cluster/", views.switch_cluster, name="vms-switch-cluster"),
    path("import-clusters/", not_adopted.import_now, name="vms-import-clusters"),
    path("<int:pk>/", machine_page.machine, name="vms-machine"),
    path("<int:pk>/rdp", machine_page.rdp, name="vms-rdp"),
    path("<int:pk>/note/", machine_page.note, name="vms-note"),
    path("<int:pk>/why/", why.why, name="vms-why"),
    path("<int:pk>/save-point/", snapshots.save_point, name="vms-save-point"),
    path("<int:pk>/snapshots/", snapshots.create, name="vms-snapshot"),
    path("<int:pk>/snapshots/<slug:name>/revert/", snapshots.revert, name="vms-revert"),
    path("<int:pk>/snapshots/<slug:name>/delete/", snapshots.delete, name="vms-delete-snapshot"),
    path("<int:pk>/console/", console_page.console, name="vms-console"),
    path("<int:pk>/console/grant/", consoles.grant, name="vms-console-grant"),
    path("<int:pk>/console/state/", consoles.state, name="vms-console-state"),
    path("<int:pk>/spice/", spice.spice, name="vms-spice"),
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
