"""The URLs of classes, and of joining one."""

from datetime import date

from django.urls import URLPattern, URLResolver, include, path, register_converter

from classes.pages import (
    allocation,
    class_list,
    class_page,
    class_settings,
    co_owners,
    directory,
    hours,
    invites,
    join,
    lessons,
    lifecycle,
    live,
    machines,
    making,
    my_lessons,
    people,
    rehearsal,
    stops,
    student_account,
    timetable,
    timetable_import,
)


class DayConverter:
    regex = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return str(value)


register_converter(DayConverter, "day")

lesson_urls = [
    path("", timetable.tab, name="classes-timetable"),
    path("add/", lessons.add, name="classes-lesson-add"),
    path("import/", timetable_import.import_timetable, name="classes-timetable-import"),
    path("<int:lesson>/", lessons.change, name="classes-lesson-change"),
    path("<int:lesson>/delete/", lessons.delete, name="classes-lesson-delete"),
    path("<int:lesson>/extra/", lessons.add_extra, name="classes-lesson-extra"),
    path("<int:lesson>/extra/<int:exception>/remove/", lessons.remove_extra, name="classes-lesson-remove-extra"),
    path("<int:lesson>/<day:day>/", lessons.change_day, name="classes-lesson-day"),
    path("<int:lesson>/<day:day>/leave-out/", lessons.leave_out, name="classes-lesson-leave-out"),
    path("<int:lesson>/<day:day>/restore/", lessons.restore, name="classes-lesson-restore"),
]

classes: list[URLPattern | URLResolver] = [
    path("", class_list.class_list, name="classes-list"),
    path("new/", class_settings.create, name="classes-create"),
    path("<int:pk>/", class_page.page, name="classes-page"),
    path("<int:pk>/settings/", class_settings.settings, name="classes-settings"),
    path("<int:pk>/settings/places/", class_settings.pass_on_grants, name="classes-places"),
    path("lessons/", my_lessons.page, name="classes-lessons"),
    path("lessons/feed/", my_lessons.renew, name="classes-calendar-renew"),
    path("lessons/feed/stop/", my_lessons.stop, name="classes-calendar-stop"),
    path("rehearsal/", rehearsal.all_classes, name="classes-day-rehearsal"),
    path("ended/", class_list.archive, name="classes-archive"),
    path("<int:pk>/end/", lifecycle.end, name="classes-end"),
    path("<int:pk>/reopen/", lifecycle.reopen, name="classes-reopen"),
    path("<int:pk>/delete/", lifecycle.delete, name="classes-delete"),
    path("<int:pk>/machines/", machines.tab, name="classes-machines"),
    path("<int:pk>/machines/adopt/", machines.add, name="classes-adopt"),
    path("<int:pk>/machines/assign/", machines.assign, name="classes-assign"),
    path("<int:pk>/machines/share/", allocation.share, name="classes-share"),
    path("<int:pk>/machines/table/", allocation.table, name="classes-table"),
    path("<int:pk>/machines/make/", making.make, name="classes-make-machines"),
    path("<int:pk>/machines/make/plan.json", making.plan_json, name="classes-make-machines-plan"),
    path("<int:pk>/machines/make/one-more/", making.one_more, name="classes-one-more"),
    path("<int:pk>/machines/make/joining/", making.for_those_who_join, name="classes-make-joining"),
    path("<int:pk>/machines/make/joining/stop/", making.stop_for_those_who_join, name="classes-make-joining-stop"),
    path("<int:pk>/machines/unassign/", machines.unassign_many, name="classes-unassign-many"),
    path("<int:pk>/machines/<int:vm>/keep/", machines.keep_longer, name="classes-keep-longer"),
    path("<int:pk>/machines/<int:vm>/unassign/", machines.unassign, name="classes-unassign"),
    path("<int:pk>/machines/<int:vm>/drop/", machines.remove, name="classes-drop"),
    path("<int:pk>/timetable/", include(lesson_urls)),
    path("<int:pk>/bell/", hours.bell, name="classes-bell"),
    path("<int:pk>/rehearsal/", rehearsal.page, name="classes-rehearsal"),
    path("<int:pk>/hours/extra/", hours.extra, name="classes-extra-hours"),
    path("<int:pk>/hours/", hours.rules, name="classes-hours"),
    path("<int:pk>/live/", live.tab, name="classes-live"),
    path("<int:pk>/people/", people.tab, name="classes-people"),
    path("<int:pk>/people/add/", people.add, name="classes-add-people"),
    path("<int:pk>/people/directory/", directory.page, name="classes-directory"),
    path("<int:pk>/people/export/", people.export, name="classes-export"),
    path("<int:pk>/people/<int:member>/remove/", people.remove, name="classes-remove"),
    path("<int:pk>/people/<int:member>/account/", student_account.page, name="classes-login"),
    path("<int:pk>/people/<int:member>/account/unlock/", student_account.unlock, name="classes-unlock"),
    path("<int:pk>/people/<int:member>/account/password/", student_account.new_password, name="classes-new-password"),
    path("<int:pk>/people/<int:member>/wait/", people.wait, name="classes-wait"),
    path("<int:pk>/invite/", invites.tab, name="classes-invite"),
    path("<int:pk>/invite/<int:invite>/revoke/", invites.revoke, name="classes-revoke"),
    path("<int:pk>/co-owners/", co_owners.tab, name="classes-teachers"),
    path("<int:pk>/co-owners/<int:person>/remove/", co_owners.remove, name="classes-remove-teacher"),
    path("<int:pk>/co-owners/<int:person>/transfer/", co_owners.transfer, name="classes-transfer"),
]

join_urls = [
    path("", join.by_code, name="classes-join-code"),
    path("<str:token>/", join.by_link, name="classes-join"),
]

calendar_urls = [path("<str:token>/", my_lessons.calendar, name="calendar-feed")]

# Of a machine, by its primary key.
stop_urls = [
    path("", stops.stop_notices, name="classes-stop-notices"),
    path("<int:pk>/keep/", stops.keep, name="classes-keep"),
    path("<int:pk>/hold/", stops.hold, name="classes-hold"),
]
