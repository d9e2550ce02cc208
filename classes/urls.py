"""The addresses of classes, and of the door to them."""

from django.urls import path

from classes.pages import ending, invites, joining, live, logins, machines, pages, people, sharing, teachers

classes = [
    path("", pages.class_list, name="classes-list"),
    path("new/", pages.create, name="classes-create"),
    path("<int:pk>/", pages.page, name="classes-page"),
    path("<int:pk>/settings/", pages.settings, name="classes-settings"),
    path("<int:pk>/settings/places/", pages.places, name="classes-places"),
    path("ended/", pages.archive, name="classes-archive"),
    path("<int:pk>/end/", ending.end, name="classes-end"),
    path("<int:pk>/reopen/", ending.reopen, name="classes-reopen"),
    path("<int:pk>/delete/", ending.delete, name="classes-delete"),
    path("<int:pk>/machines/", machines.tab, name="classes-machines"),
    path("<int:pk>/machines/adopt/", machines.adopt, name="classes-adopt"),
    path("<int:pk>/machines/assign/", machines.assign, name="classes-assign"),
    path("<int:pk>/machines/share/", sharing.share, name="classes-share"),
    path("<int:pk>/machines/table/", sharing.table, name="classes-table"),
    path("<int:pk>/machines/unassign/", machines.unassign_many, name="classes-unassign-many"),
    path("<int:pk>/machines/<int:vm>/keep/", machines.keep_longer, name="classes-keep-longer"),
    path("<int:pk>/machines/<int:vm>/unassign/", machines.unassign, name="classes-unassign"),
    path("<int:pk>/machines/<int:vm>/drop/", machines.drop, name="classes-drop"),
    path("<int:pk>/live/", live.tab, name="classes-live"),
    path("<int:pk>/people/", people.tab, name="classes-people"),
    path("<int:pk>/people/add/", people.add, name="classes-add-people"),
    path("<int:pk>/people/export/", people.export, name="classes-export"),
    path("<int:pk>/people/<int:member>/remove/", people.remove, name="classes-remove"),
    path("<int:pk>/people/<int:member>/account/", logins.page, name="classes-login"),
    path("<int:pk>/people/<int:member>/account/unlock/", logins.unlock, name="classes-unlock"),
    path("<int:pk>/people/<int:member>/account/password/", logins.new_password, name="classes-new-password"),
    path("<int:pk>/people/<int:member>/wait/", people.wait, name="classes-wait"),
    path("<int:pk>/invite/", invites.tab, name="classes-invite"),
    path("<int:pk>/invite/<int:invite>/revoke/", invites.revoke, name="classes-revoke"),
    path("<int:pk>/co-owners/", teachers.tab, name="classes-teachers"),
    path("<int:pk>/co-owners/<int:person>/remove/", teachers.remove, name="classes-remove-teacher"),
    path("<int:pk>/co-owners/<int:person>/transfer/", teachers.transfer, name="classes-transfer"),
]

join = [
    path("", joining.by_code, name="classes-join-code"),
    path("<str:token>/", joining.by_link, name="classes-join"),
]
