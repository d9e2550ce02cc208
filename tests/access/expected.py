"""Who gets what: a row for each route.

Columns: anonymous, the student who holds the machine, another student, the manager of the machine's set, a co-owner,
staff without a permission, auditor, lab administrator, superuser. First for GET, then for POST with a CSRF token. `in`
is the way to the login page. One answer stands for all nine. The assignee takes part in a class of the manager's, which
has the machine, and which manager and co-owner run together.

A new route needs a row here; what its POST needs to be meant stands in BODIES, and the values of its parameters, and of
what a body names like `<vm>`, come from `routes.values`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.access import routes
from tests.access.school import PEOPLE
from tests.access.two_classes import CODE

ROWS = """
/                                                   | 302                                 | 302
portal                                              | 302                                 | 302
healthz                                             | 200                                 | 405
readyz                                              | 200                                 | 405
metrics                                             | 404                                 | 405
accounts/login/                                     | 200 302 302 302 302 302 302 302 302 | 200 302 302 302 302 302 302 302 302
accounts/logout/                                    | 405                                 | 302
accounts/sign-in/<slug:name>/                       | 404                                 | 405
accounts/sign-in/<slug:name>/join/                  |  in 404 404 404 404 404 404 404 404 |  in 404 404 404 404 404 404 404 404
accounts/sign-in/<slug:name>/callback/              | 404                                 | 405
accounts/profile/                                   |  in 200 200 200 200 200 200 200 200 |  in 302 302 302 302 302 302 302 302
accounts/profile/tokens/                            |  in 200 200 200 200 200 200 200 200 |  in 400 400 400 400 400 400 400 400
accounts/profile/tokens/<int:pk>/revoke/            | 405                                 |  in 302 404 404 404 404 404 404 404
accounts/password/                                  |  in 200 200 200 200 200 200 200 200 |  in 200 200 200 200 200 200 200 200
vms/                                                |  in 200 200 200 200 200 200 200 200 | 405
vms/switch-cluster/                                 | 405                                 |  in 302 302 302 302 404 302 302 302
vms/import-clusters/                                | 405                                 |  in 403 403 403 403 403 403 302 302
vms/<int:pk>/                                       |  in 200 404 200 200 404 200 200 200 | 405
vms/<int:pk>/rdp                                    |  in 409 404 409 409 404 409 409 409 | 405
vms/<int:pk>/note/                                  | 405                                 |  in 404 404 302 302 404 404 302 302
vms/<int:pk>/read-again/                            | 405                                 |  in 302 404 302 302 404 404 302 302
vms/<int:pk>/dismiss/<uuid:operation>/              | 405                                 |  in 302 404 302 302 404 404 302 302
vms/<int:pk>/why/                                   |  in 404 404 404 404 404 200 200 200 | 405
vms/<int:pk>/re-image/                              |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
vms/<int:pk>/save-point/                            |  in 200 404 200 200 404 404 200 200 |  in 302 404 302 302 404 404 302 302
vms/<int:pk>/snapshots/                             |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
vms/<int:pk>/snapshots/<slug:name>/revert/          |  in 200 404 200 200 404 404 200 200 |  in 302 404 302 302 404 404 302 302
vms/<int:pk>/snapshots/<slug:name>/delete/          |  in 409 404 200 200 404 404 200 200 |  in 302 404 302 302 404 404 302 302
vms/<int:pk>/help/                                  | 405                                 |  in 302 404 404 404 404 404 404 404
vms/<int:pk>/help/back/                             | 405                                 |  in 302 404 404 404 404 404 404 404
vms/<int:pk>/console/                               |  in 200 404 200 200 404 200 200 200 | 405
vms/<int:pk>/console/grant/                         | 405                                 | 401 409 404 409 409 404 403 409 409
vms/<int:pk>/console/state/                         | 401 200 404 200 200 404 404 200 200 | 405
vms/<int:pk>/console/keyboard/                      | 405                                 | 401 200 404 200 200 404 404 200 200
vms/<int:pk>/spice/                                 | 405                                 |  in 409 404 409 409 404 403 409 409
vms/<int:pk>/<slug:action>/                         |  in 200 404 200 200 404 404 200 200 |  in 302 404 302 302 404 404 302 302
sets/                                               |  in 200 200 200 200 200 200 200 200 | 405
sets/help/                                          |  in 200 200 200 200 200 200 200 200 | 405
sets/help/badge/                                    | 286 200 200 200 200 200 200 200 200 | 405
sets/<int:pk>/                                      |  in 404 404 200 200 404 200 200 200 | 405
sets/<int:pk>/ask/                                  | 405                                 |  in 404 404 302 302 404 404 302 302
sets/<int:pk>/activity/                             |  in 404 404 200 200 404 200 200 200 | 405
sets/<int:pk>/activity.csv                          |  in 404 404 200 200 404 200 200 200 | 405
sets/<int:pk>/as/<int:person_pk>/                   |  in 404 404 200 200 404 200 200 200 | 405
sets/<int:pk>/earlier/                              |  in 404 404 200 200 404 200 200 200 | 405
sets/<int:pk>/earlier/<int:made_pk>/back/           | 405                                 |  in 404 404 302 302 404 404 302 302
sets/<int:pk>/help/<int:help_pk>/done/              | 405                                 |  in 404 404 302 302 404 404 302 302
batches/<uuid:pk>/                                  |  in 404 404 200 200 404 200 200 200 | 405
batches/<uuid:pk>/cancel/                           | 405                                 |  in 404 404 302 302 404 404 302 302
batches/<uuid:pk>/retry/                            | 405                                 |  in 404 404 302 302 404 404 302 302
batches/<uuid:pk>/resume/                           | 405                                 |  in 404 404 302 302 404 404 302 302
runs/<uuid:pk>/                                     |  in 404 404 200 200 404 200 200 200 | 405
runs/<uuid:pk>/cancel/                              | 405                                 |  in 404 404 302 302 404 404 302 302
runs/<uuid:pk>/retry/                               | 405                                 |  in 404 404 302 302 404 404 302 302
runs/<uuid:pk>/undo/                                |  in 404 404 200 200 404 404 200 200 |  in 404 404 400 400 404 404 400 400
sets/<int:pk>/remove-made/                          |  in 404 404 200 200 404 404 200 200 |  in 404 404 400 400 404 404 400 400
classes/                                            |  in 200 200 200 200 200 200 200 200 | 405
classes/new/                                        |  in 403 403 200 200 403 403 200 200 |  in 403 403 302 400 403 403 400 400
classes/<int:pk>/                                   |  in 200 404 200 200 404 200 200 200 | 405
classes/<int:pk>/settings/                          |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/settings/places/                   | 405                                 |  in 404 404 302 403 404 404 403 403
classes/rehearsal/                                  |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/ended/                                      |  in 200 200 200 200 200 200 200 200 | 405
classes/<int:pk>/end/                               |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/reopen/                            | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/delete/                            |  in 404 404 200 403 404 404 200 200 |  in 404 404 302 403 404 404 302 302
classes/<int:pk>/machines/                          |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/machines/adopt/                    | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/assign/                   | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/share/                    |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/machines/table/                    |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/machines/make/                     |  in 404 404 200 200 404 404 200 200 |  in 404 404 400 400 404 404 400 400
classes/<int:pk>/machines/make/plan.json            |  in 404 404 400 400 404 404 400 400 | 405
classes/<int:pk>/machines/make/one-more/            |  in 404 404 302 302 404 404 302 302 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/make/joining/             |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/machines/make/joining/stop/        | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/unassign/                 |  in 404 404 302 302 404 404 302 302 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/<int:vm>/keep/            | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/<int:vm>/unassign/        |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/machines/<int:vm>/drop/            |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/timetable/                         |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/timetable/add/                     |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/import/                  |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/            |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/delete/     | 405                                 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/extra/      |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/extra/<int:exception>/remove/ | 405                 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/<day:day>/  |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/<day:day>/leave-out/ | 405                          |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/timetable/<int:lesson>/<day:day>/restore/ | 405                            |  in 404 404 200 200 404 404 200 200
stops/                                              |  in 200 200 200 200 200 200 200 200 | 405
stops/<int:pk>/keep/                                | 405                                 |  in 302 404 302 302 404 404 302 302
stops/<int:pk>/hold/                                | 405                                 |  in 302 404 302 302 404 404 302 302
classes/<int:pk>/bell/                              |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/rehearsal/                         |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/hours/extra/                       | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/hours/                             |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/live/                              |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/people/                            |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/people/add/                        |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/people/directory/                  |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 200 404 404 200 200
classes/<int:pk>/people/export/                     |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/people/<int:member>/remove/        |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/people/<int:member>/account/       |  in 404 404 200 200 404 404 200 200 | 405
classes/<int:pk>/people/<int:member>/account/unlock/ | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/people/<int:member>/account/password/ |  in 404 404 302 302 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/people/<int:member>/wait/          | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/invite/                            |  in 404 404 200 200 404 404 200 200 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/invite/<int:invite>/revoke/        | 405                                 |  in 404 404 302 302 404 404 302 302
classes/<int:pk>/co-owners/                         |  in 404 404 200 200 404 404 200 200 |  in 404 404 200 403 404 404 200 200
classes/<int:pk>/co-owners/<int:person>/remove/     |  in 404 404 200 403 404 404 200 200 |  in 404 404 302 403 404 404 302 302
classes/<int:pk>/co-owners/<int:person>/transfer/   |  in 404 404 200 403 404 404 200 200 |  in 404 404 302 403 404 404 302 302
classes/lessons/                                    |  in 200 200 200 200 200 200 200 200 | 405
classes/lessons/feed/                               | 405                                 |  in 302 302 302 302 302 302 302 302
classes/lessons/feed/stop/                          | 405                                 |  in 302 302 302 302 302 302 302 302
calendar/<str:token>/                               | 404                                 | 405
join/                                               |  in 200 200 200 200 200 200 200 200 |  in 200 200 200 200 200 200 200 200
join/<str:token>/                                   |  in 200 200 200 200 200 200 200 200 |  in 302 302 302 302 302 302 302 302
clusters/                                           |  in 403 403 403 403 403 200 200 200 | 405
clusters/automation/                                |  in 403 403 403 403 403 403 200 200 |  in 403 403 403 403 403 403 302 302
clusters/<str:cluster_id>/again/                    | 405                                 |  in 302 302 302 302 404 302 302 302
clusters/<str:cluster_id>/sync/                     | 405                                 |  in 403 403 403 403 403 403 302 302
api/clusters                                        | 401 200 200 200 200 200 200 200 200 | 405
api/switch-cluster                                  | 405                                 | 401 200 200 200 200 400 200 200 200
api/v1/openapi.json                                 | 401 200 200 200 200 200 200 200 200 | 405
api/v1/docs/                                        |  in 200 200 200 200 200 200 200 200 | 405
admin/clusters/                                     | 302                                 | 302
admin/                                              |  in  in  in  in  in 200 200 200 200 |  in  in  in  in  in 200 200 200 200
admin/login/                                        | 200 200 200 200 200 302 302 302 302 | 200
admin/logout/                                       | 405                                 | 302
admin/password_change/                              | 302                                 | 302
admin/password_change/done/                         |  in  in  in  in  in 200 200 200 200 |  in  in  in  in  in 405 405 405 405
admin/autocomplete/                                 |  in  in  in  in  in 403 200 200 200 |  in  in  in  in  in 405 405 405 405
admin/jsi18n/                                       |  in  in  in  in  in 200 200 200 200 |  in  in  in  in  in 405 405 405 405
admin/r/<path:content_type_id>/<path:object_id>/    |  in  in  in  in  in 404 404 404 404 |  in  in  in  in  in 404 404 404 404
admin/accounts/user/import/                         |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 400 400
admin/accounts/user/join/                           |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 400
admin/accounts/user/<int:pk>/join/                  |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 200
admin/accounts/user/<int:pk>/separate/<int:identity>/ |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 302
admin/accounts/directory/<int:pk>/test/             |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 200
admin/accounts/directory/<int:pk>/compare/          |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 400
admin/accounts/provider/<int:pk>/test/              |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 200
admin/accounts/trustedheader/<int:pk>/test/         |  in  in  in  in  in 403 403 403 200 |  in  in  in  in  in 403 403 403 200
admin/accounts/user/<int:pk>/unlock/                |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 302 302
admin/accounts/user/<int:pk>/new-password/          |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 302 302
admin/accounts/user/<id>/password/                  |  in  in  in  in  in 302 302 302 302 |  in  in  in  in  in 302 302 302 302
admin/clusters/cluster/import/                      |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 400 400
admin/clusters/cluster/add/test/                    |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/clusters/cluster/<int:pk>/test/               |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/clusters/cluster/add/certificate/             |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/clusters/cluster/<int:pk>/certificate/        |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/clusters/cluster/<int:pk>/certificate/accept/ |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/clusters/cluster/<int:pk>/privileges/         |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 200 200
admin/vms/machinetemplate/<int:pk>/check/           |  in  in  in  in  in 405 405 405 405 |  in  in  in  in  in 403 403 302 302
admin/vms/machinetemplate/<int:pk>/privileges/      |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 200 200
admin/auditlog/logentry/download/                   |  in  in  in  in  in 403 200 200 200 |  in  in  in  in  in 403 200 200 200
admin/vms/leasablenetwork/many/                     |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 400 400
admin/vms/assignment/bulk/                          |  in  in  in  in  in 403 403 200 200 |  in  in  in  in  in 403 403 400 400
admin/vms/assignment/download/                      |  in  in  in  in  in 403 200 200 200 |  in  in  in  in  in 403 200 200 200
admin/vms/virtualmachine/download/                  |  in  in  in  in  in 403 200 200 200 |  in  in  in  in  in 403 200 200 200
admin/vms/operation/download/                       |  in  in  in  in  in 403 200 200 200 |  in  in  in  in  in 403 200 200 200
admin/<app_label>/                                     |  in  in  in  in  in 404 302 302 302 |  in  in  in  in  in 404 302 302 302
admin/<url>                                         |  in  in  in  in  in 404 404 404 404 |  in  in  in  in  in 404 404 404 404
"""  # noqa: E501 - as wide as there are people

# The pages that the admin has for each model: who may look, add, change and delete, of staff without a permission (f),
# auditor (a), lab administrator (l) and superuser (s). The others are led to the login.
MODELS = """
auth.group                              ...s  ...s  ...s  ...s
axes.accessattempt                      ...s  ....  ....  ...s
accounts.user                           .als  ..ls  ..ls  ...s
accounts.apitoken                       .als  ....  ....  ....
accounts.directory                      ...s  ...s  ...s  ...s
accounts.provider                       ...s  ...s  ...s  ...s
accounts.trustedheader                  ...s  ...s  ...s  ...s
clusters.cluster                        .als  ..ls  ..ls  ..ls
clusters.deletedcluster                 .als  ....  ....  ..ls
clusters.clusternotice                  .als  ..ls  ..ls  ..ls
clusters.provisioningaccess             .als  ..ls  ..ls  ..ls
auditlog.logentry                       .als  ....  ....  ....
vms.alert                               .als  ....  ....  ....
vms.assignment                          .als  ..ls  ..ls  ..ls
vms.virtualmachine                      .als  ....  ..ls  ....
vms.operation                           .als  ....  ....  ....
vms.consolesession                      .als  ....  ....  ....
vms.clustersync                         .als  ....  ..ls  ....
vms.syncrun                             .als  ....  ....  ....
vms.node                                .als  ....  ....  ....
vms.machineset                          .als  ..ls  ..ls  ..ls
vms.clustergrant                        .als  ..ls  ....  ..ls
vms.machinetemplate                     .als  ..ls  ..ls  ..ls
vms.mademachine                         .als  ....  ....  ....
vms.leasablenetwork                     .als  ..ls  ..ls  ..ls
vms.quota                               .als  ..ls  ..ls  ..ls
classes.labclass                        .als  ..ls  ..ls  ..ls
classes.holiday                         .als  ..ls  ..ls  ..ls
django_tasks_database.dbtaskresult      ...s  ....  ....  ....
"""

LESSON = {
    "first_day": "2090-01-02", "last_day": "2090-02-06", "weekdays": "1", "every_weeks": "1", "begins": "10:00",
    "ends": "11:00", "mode": "both",
}  # fmt: skip
DAY = {"new_day": "2090-01-03", "begins": "10:00", "ends": "11:00"}
EXTRA: dict[str, "Row"] = {}
QUERIES: dict[str, dict[str, str]] = {
    "admin/autocomplete/": {"app_label": "vms", "model_name": "assignment", "field_name": "vm", "term": ""},
}
BODIES: dict[str, Any] = {
    "accounts/profile/": {"theme": "dark"},
    "vms/switch-cluster/": {"cluster": "building-1"},
    "vms/<int:pk>/note/": {"note": "Kept until May."},
    "vms/<int:pk>/snapshots/": {"name": "lesson-2"},
    "vms/<int:pk>/snapshots/<slug:name>/revert/": {"sure": "yes"},
    "vms/<int:pk>/snapshots/<slug:name>/delete/": {"sure": "yes"},
    "vms/<int:pk>/console/grant/": {"mode": "view"},
    "vms/<int:pk>/console/keyboard/": {"layout": "es"},
    "sets/<int:pk>/ask/": {"action": "start", "whose": "all"},
    "classes/new/": {"name": "Databases", "grants": "<grant>", "freed_machines": "revert"},
    "classes/<int:pk>/settings/": {"name": "Networks 2", "freed_machines": "revert"},
    "classes/<int:pk>/hours/": {"starts": "on", "keeps": "1", "hours_per": "week"},
    "classes/<int:pk>/timetable/add/": LESSON,
    "classes/<int:pk>/timetable/import/": {"text": "first day,from,to\n2090-03-01,10:00,11:00"},
    "classes/<int:pk>/timetable/<int:lesson>/": LESSON,
    "classes/<int:pk>/timetable/<int:lesson>/extra/": DAY,
    "classes/<int:pk>/timetable/<int:lesson>/<day:day>/": DAY,
    "classes/<int:pk>/end/": {"way": "as-it-is"},
    "classes/<int:pk>/delete/": {"way": "as-it-is"},
    "classes/<int:pk>/machines/unassign/": {"vm": "<vm>", "way": "as-it-is"},
    "classes/<int:pk>/machines/<int:vm>/unassign/": {"way": "as-it-is"},
    "classes/<int:pk>/machines/<int:vm>/drop/": {"way": "as-it-is"},
    "classes/<int:pk>/settings/places/": {"grants": "<grant>"},
    "classes/<int:pk>/machines/assign/": {"vm": "<free>", "person": "<person_pk>"},
    "classes/<int:pk>/machines/table/": {"text": "assignee,building-1,103"},
    "classes/<int:pk>/people/add/": {"text": "other"},
    "classes/<int:pk>/people/<int:member>/remove/": {"way": "as-it-is"},
    "classes/<int:pk>/invite/": {"expires_at": "2099-01-01T10:00", "max_uses": "9"},
    "classes/<int:pk>/co-owners/": {"username": "stranger"},
    "join/": {"code": CODE},
    "api/switch-cluster": '{"cluster_id": "building-1"}',
    **{route: {"post": "yes"} for route, page in routes.model_pages().items() if page.page.endswith("delete/")},
}


@dataclass(frozen=True)
class Row:
    """The expected answers by person; `ok` is 200 or 302, as a form may be right or not."""

    get: dict[str, str]
    post: dict[str, str]


def rows() -> dict[str, Row]:
    """The whole table by route."""
    return {**_written(), **_of_models(), **_of_api(), **EXTRA}


@cache
def _written() -> dict[str, Row]:
    found = {}
    for line in ROWS.strip().splitlines():
        route, get, post = (part.strip() for part in line.split(" | "))
        found["" if route == "/" else route] = Row(_by_person(get.split()), _by_person(post.split()))
    return found


def _by_person(codes: list[str]) -> dict[str, str]:
    return dict(zip(PEOPLE, codes * len(PEOPLE) if len(codes) == 1 else codes, strict=True))


@cache
def _of_models() -> dict[str, Row]:
    found = {}
    for line in MODELS.strip().splitlines():
        name, look, add, change, delete = line.split()
        for page, get, post in (
            ("", look, look),
            ("add/", add, add),
            ("<path:object_id>/change/", look, change),
            ("<path:object_id>/delete/", delete, delete),
            ("<path:object_id>/history/", look, look),
        ):
            found[f"admin/{name.replace('.', '/')}/{page}"] = Row(_staff(get), _staff(post))
        leads_on = _by_person(["in"] * 5 + ["302"] * 4)
        found[f"admin/{name.replace('.', '/')}/<path:object_id>/"] = Row(leads_on, leads_on)
    return found


def api_routes() -> set[str]:
    return set(routes.api_methods())


@cache
def _of_api() -> dict[str, Row]:
    """A session is nobody in the API. `test_api_matrix` asks with tokens."""
    found = {"api/v1/": ("404", "404"), "api/v1/<path:rest>": ("404", "404")}
    for route, methods in routes.api_methods().items():
        found[route] = ("401" if "GET" in methods else "405", "401" if "POST" in methods else "405")
    return {route: Row(_by_person([get]), _by_person([post])) for route, (get, post) in found.items()}


def _staff(allowed: str) -> dict[str, str]:
    return _by_person(["in"] * 5 + ["403" if mark == "." else "ok" for mark in allowed])
