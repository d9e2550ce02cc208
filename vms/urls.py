from django.urls import path
from django.views.generic import RedirectView

from vms import (
    activity,
    again,
    api,
    as_student,
    batch_pages,
    console_page,
    help_list,
    helping,
    machine_page,
    not_adopted,
    set_pages,
    snapshots,
    spice,
    status,
    views,
    why,
)
from vms.console import views as consoles

machines = [
    path("", views.machine_list, name="vms-list"),
    path("switch-cluster/", views.switch_cluster, name="vms-switch-cluster"),
    path("import-clusters/", not_adopted.import_now, name="vms-import-clusters"),
    path("<int:pk>/", machine_page.machine, name="vms-machine"),
    path("<int:pk>/rdp", machine_page.rdp, name="vms-rdp"),
    path("<int:pk>/note/", machine_page.note, name="vms-note"),
    path("<int:pk>/help/", helping.ask, name="vms-help"),
    path("<int:pk>/help/back/", helping.take_back, name="vms-help-back"),
    path("<int:pk>/dismiss/<uuid:operation>/", again.dismiss, name="vms-dismiss"),
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
    path("<str:cluster_id>/again/", again.ask_again, name="vms-ask-again"),
    path("<str:cluster_id>/sync/", status.sync_now, name="vms-sync-now"),
]

sets = [
    path("", set_pages.sets, name="vms-sets"),
    path("help/", help_list.page, name="vms-help-list"),
    path("help/badge/", help_list.badge, name="vms-help-badge"),
    path("<int:pk>/", set_pages.machine_set, name="vms-set"),
    path("<int:pk>/ask/", set_pages.ask, name="vms-set-ask"),
    path("<int:pk>/activity/", activity.activity, name="vms-set-activity"),
    path("<int:pk>/activity.csv", activity.download, name="vms-set-activity-csv"),
    path("<int:pk>/as/<int:person_pk>/", as_student.as_student, name="vms-set-as"),
    path("<int:pk>/help/<int:help_pk>/done/", helping.done, name="vms-help-done"),
]

batches = [
    path("<uuid:pk>/", batch_pages.batch, name="vms-batch"),
    path("<uuid:pk>/cancel/", batch_pages.cancel, name="vms-batch-cancel"),
    path("<uuid:pk>/retry/", batch_pages.retry, name="vms-batch-retry"),
    path("<uuid:pk>/resume/", batch_pages.resume, name="vms-batch-resume"),
]

legacy = [
    path("clusters", api.clusters, name="api-clusters"),
    path("switch-cluster", api.switch_cluster, name="api-switch-cluster"),
]

home = RedirectView.as_view(pattern_name="vms-list")
