from django.urls import path
from django.views.generic import RedirectView

from vms.pages import (
    activity,
    automation,
    batch,
    cluster_status,
    console,
    explain,
    help_requests,
    import_offer,
    legacy_api,
    machine,
    machine_action,
    machine_group,
    machine_list,
    reimage,
    removal,
    retry,
    run,
    snapshots,
    spice,
    view_as_student,
)

machines = [
    path("", machine_list.machine_list, name="vms-list"),
    path("switch-cluster/", machine_list.switch_cluster, name="vms-switch-cluster"),
    path("import-clusters/", import_offer.import_now, name="vms-import-clusters"),
    path("<int:pk>/", machine.machine, name="vms-machine"),
    path("<int:pk>/rdp", machine.rdp, name="vms-rdp"),
    path("<int:pk>/note/", machine.note, name="vms-note"),
    path("<int:pk>/help/", help_requests.ask, name="vms-help"),
    path("<int:pk>/help/back/", help_requests.cancel, name="vms-help-back"),
    path("<int:pk>/dismiss/<uuid:operation>/", retry.dismiss, name="vms-dismiss"),
    path("<int:pk>/read-again/", retry.read_again, name="vms-read-again"),
    path("<int:pk>/why/", explain.explain, name="vms-why"),
    path("<int:pk>/re-image/", reimage.reimage, name="vms-reimage"),
    path("<int:pk>/save-point/", snapshots.restore_point, name="vms-save-point"),
    path("<int:pk>/snapshots/", snapshots.create, name="vms-snapshot"),
    path("<int:pk>/snapshots/<slug:name>/revert/", snapshots.revert, name="vms-revert"),
    path("<int:pk>/snapshots/<slug:name>/delete/", snapshots.delete, name="vms-delete-snapshot"),
    path("<int:pk>/console/", console.console, name="vms-console"),
    path("<int:pk>/console/grant/", console.grant, name="vms-console-grant"),
    path("<int:pk>/console/state/", console.state, name="vms-console-state"),
    path("<int:pk>/console/keyboard/", console.keyboard, name="vms-console-keyboard"),
    path("<int:pk>/spice/", spice.spice, name="vms-spice"),
    path("<int:pk>/<slug:action>/", machine_action.act, name="vms-act"),
]

clusters = [
    path("automation/", automation.confirm, name="vms-automation"),
    path("", cluster_status.cluster_status, name="vms-clusters"),
    path("<str:cluster_id>/again/", retry.request_sync, name="vms-ask-again"),
    path("<str:cluster_id>/sync/", cluster_status.sync_now, name="vms-sync-now"),
]

sets = [
    path("", machine_group.machine_groups, name="vms-sets"),
    path("help/", help_requests.help_requests, name="vms-help-list"),
    path("help/badge/", help_requests.badge, name="vms-help-badge"),
    path("<int:pk>/", machine_group.machine_group, name="vms-set"),
    path("<int:pk>/ask/", machine_group.request_action, name="vms-set-ask"),
    path("<int:pk>/remove-made/", removal.remove_made, name="vms-set-remove-made"),
    path("<int:pk>/activity/", activity.activity, name="vms-set-activity"),
    path("<int:pk>/activity.csv", activity.download, name="vms-set-activity-csv"),
    path("<int:pk>/as/<int:person_pk>/", view_as_student.view_as_student, name="vms-set-as"),
    path("<int:pk>/earlier/", reimage.earlier_machines, name="vms-set-earlier"),
    path("<int:pk>/earlier/<int:made_pk>/back/", reimage.bring_back, name="vms-earlier-back"),
    path("<int:pk>/help/<int:help_pk>/done/", help_requests.mark_done, name="vms-help-done"),
]

batches = [
    path("<uuid:pk>/", batch.batch, name="vms-batch"),
    path("<uuid:pk>/cancel/", batch.cancel, name="vms-batch-cancel"),
    path("<uuid:pk>/retry/", batch.retry, name="vms-batch-retry"),
    path("<uuid:pk>/resume/", batch.resume, name="vms-batch-resume"),
]

runs = [
    path("<uuid:pk>/", run.run, name="vms-run"),
    path("<uuid:pk>/cancel/", run.cancel, name="vms-run-cancel"),
    path("<uuid:pk>/retry/", run.retry, name="vms-run-retry"),
    path("<uuid:pk>/undo/", removal.undo_run, name="vms-run-undo"),
]

legacy = [
    path("clusters", legacy_api.clusters, name="api-clusters"),
    path("switch-cluster", legacy_api.switch_cluster, name="api-switch-cluster"),
]

home = RedirectView.as_view(pattern_name="vms-list")
