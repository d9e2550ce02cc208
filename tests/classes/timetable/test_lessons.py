"""The teacher's pages: a week, and changes that are shown before they are saved."""

from datetime import date, timedelta
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import User
from classes import access
from classes.enrolment import membership
from classes.models import Holiday, LabClass, Lesson, LessonException, Occurrence
from classes.timetable import changes, occurrences
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import MONDAY, NOW, TUESDAY, WEDNESDAY, make_class, make_lesson, times
from tests.labs import queries

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
IN_TWO_WEEKS = TUESDAY + 2 * WEEK
LESSON = {
    "first_day": "2026-09-08", "last_day": "2026-09-22", "begins": "10:00", "ends": "11:30", "weekdays": ["2"],
    "every_weeks": "1", "mode": "both", "note": "Room 12",
}  # fmt: skip


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


@pytest.fixture
def lesson(networks: LabClass) -> Lesson:
    return make_lesson(networks, TUESDAY, IN_TWO_WEEKS)


def url(lab_class: LabClass, end: str = "") -> str:
    return f"/classes/{lab_class.pk}/timetable/{end}"


def preview(client: Client, address: str, **data: Any) -> list[str]:
    page = client.post(address, data)
    return [f"{row.day[5:]} {hyphened(row.when)} {row.reason.value}" for row in page.context["plan"].rows]


def hyphened(text: str) -> str:
    return text.replace("\N{EN DASH}", "-")


def save(client: Client, address: str, **data: Any) -> Any:
    page = client.post(address, data)
    return client.post(address, {"shown": page.context["shown"]}, follow=True)


def test_a_lesson_is_shown_before_it_is_saved(client: Client, networks: LabClass):
    assert preview(client, url(networks, "add/"), **LESSON) == [
        "09-08 10:00-11:30 new", "09-15 10:00-11:30 new", "09-22 10:00-11:30 new"
    ]  # fmt: skip
    assert not Lesson.objects.exists()
    page = save(client, url(networks, "add/"), **LESSON)
    assert page.redirect_chain[0][0].endswith("?day=2026-09-08")
    assert "Room 12" in page.content.decode()
    assert times(networks) == ["09-08 08:00", "09-15 08:00", "09-22 08:00"]


def test_who_changed_the_timetable_is_in_the_audit_trail(client: Client, networks: LabClass, tess: User):
    client.post(url(networks, "add/"), LESSON)
    assert not LogEntry.objects.get_for_model(Lesson).exists()
    save(client, url(networks, "add/"), **LESSON)
    assert LogEntry.objects.get_for_model(Lesson).get().actor == tess


def test_without_weekdays_it_is_once(client: Client, networks: LabClass):
    save(client, url(networks, "add/"), **LESSON | {"weekdays": []})
    assert times(networks) == ["09-08 08:00"]


@pytest.mark.parametrize(
    "wrong",
    [{"ends": "10:00"}, {"last_day": "2026-09-07"}, {"last_day": ""}, {"every_weeks": "0"}, {"last_day": "2029-01-01"},
     {"begins": "25:00"}, {"weekdays": ["3"]}, {"first_day": "9999-12-28", "last_day": "9999-12-31"}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(client: Client, networks: LabClass, wrong: dict[str, Any]):
    page = client.post(url(networks, "add/"), LESSON | wrong)
    assert page.status_code == 400
    assert page.context["form"].errors


def test_holidays_and_days_outside_of_the_class_are_told(client: Client, networks: LabClass):
    Holiday.objects.create(name="Local holiday", first_day=TUESDAY, last_day=TUESDAY)
    LabClass.objects.update(ends_on=TUESDAY + WEEK)
    assert preview(client, url(networks, "add/"), **LESSON) == [
        "09-08 10:00-11:30 holiday", "09-15 10:00-11:30 new", "09-22 10:00-11:30 outside"
    ]  # fmt: skip


def test_one_lesson_is_moved(client: Client, networks: LabClass, lesson: Lesson):
    address = url(networks, f"{lesson.pk}/2026-09-15/")
    moved = {"new_day": "2026-09-16", "begins": "14:00", "ends": "15:00", "mode": "start"}
    assert preview(client, address, **moved) == ["09-16 14:00-15:00 changed"]
    page = save(client, address, **moved).content.decode()
    assert "moved to 2026-09-16" in page
    assert "starts machines only" in page
    assert times(lesson) == ["09-08 08:00", "09-16 12:00", "09-22 08:00"]
    restored = url(networks, f"{lesson.pk}/2026-09-15/restore/")
    save(client, restored)
    assert times(lesson) == ["09-08 08:00", "09-15 08:00", "09-22 08:00"]


@pytest.mark.parametrize("wrong", [{"new_day": "9999-12-31"}, {"new_day": ""}, {"ends": "14:00"}])
def test_a_move_that_makes_no_sense_is_refused(
    client: Client, networks: LabClass, lesson: Lesson, wrong: dict[str, str]
):
    moved = {"new_day": "2026-09-16", "begins": "14:00", "ends": "15:00"} | wrong
    page = client.post(url(networks, f"{lesson.pk}/2026-09-15/"), moved)
    assert page.status_code == 400
    assert page.context["form"].errors


def test_one_lesson_is_left_out_and_restored(client: Client, networks: LabClass, lesson: Lesson):
    address = url(networks, f"{lesson.pk}/2026-09-15/leave-out/")
    assert preview(client, address) == ["09-15 10:00-11:30 removed"]
    assert "left out" in save(client, address).content.decode()
    assert times(lesson) == ["09-08 08:00", "09-22 08:00"]
    save(client, url(networks, f"{lesson.pk}/2026-09-15/restore/"))
    assert times(lesson) == ["09-08 08:00", "09-15 08:00", "09-22 08:00"]


def test_a_date_is_added_and_removed(client: Client, networks: LabClass, lesson: Lesson):
    more = {"new_day": "2026-09-09", "begins": "10:00", "ends": "11:00"}
    assert "additional" in save(client, url(networks, f"{lesson.pk}/extra/"), **more).content.decode()
    assert times(lesson) == ["09-08 08:00", "09-09 08:00", "09-15 08:00", "09-22 08:00"]
    added = LessonException.objects.get()
    save(client, url(networks, f"{lesson.pk}/extra/{added.pk}/remove/"))
    assert times(lesson) == ["09-08 08:00", "09-15 08:00", "09-22 08:00"]


def test_this_and_the_following_change(client: Client, networks: LabClass, lesson: Lesson):
    LessonException.objects.create(lesson=lesson, day=IN_TWO_WEEKS)
    occurrences.rebuild_class(networks)
    address = url(networks, f"{lesson.pk}/?day=2026-09-15")
    later = LESSON | {"first_day": "2026-09-15", "last_day": "2026-09-29", "begins": "09:00"}
    assert preview(client, address, **later) == ["09-15 09:00-11:30 changed", "09-29 09:00-11:30 new"]
    save(client, address, **later)
    assert times(networks) == ["09-08 08:00", "09-15 07:00", "09-29 07:00"]
    assert times(lesson) == ["09-08 08:00"]


def test_all_change(client: Client, networks: LabClass, lesson: Lesson):
    address = url(networks, f"{lesson.pk}/")
    save(client, address, **LESSON | {"weekdays": ["4"]})
    assert times(lesson) == ["09-09 08:00", "09-16 08:00"]
    assert Lesson.objects.get().note == "Room 12"


def test_a_series_is_deleted_from_a_day_on_or_altogether(client: Client, networks: LabClass, lesson: Lesson):
    save(client, url(networks, f"{lesson.pk}/delete/?day=2026-09-15"))
    assert times(lesson) == ["09-08 08:00"]
    assert preview(client, url(networks, f"{lesson.pk}/delete/")) == ["09-08 10:00-11:30 removed"]
    save(client, url(networks, f"{lesson.pk}/delete/"))
    assert not Lesson.objects.exists()


def test_a_change_without_a_lesson_to_come_is_saved(client: Client, networks: LabClass):
    lesson = make_lesson(networks, date(2026, 8, 31), date(2026, 8, 31))
    assert times(lesson) == []
    save(client, url(networks, f"{lesson.pk}/delete/"))
    assert not Lesson.objects.exists()


def test_clashes_are_told(client: Client, networks: LabClass, lesson: Lesson, tess: User, ana: User):
    databases = make_class(tess, name="Databases")
    for lab_class in (networks, databases):
        membership.add_people(lab_class, [ana], at_once=True)
    make_lesson(databases, WEDNESDAY, WEDNESDAY)
    make_lesson(networks, WEDNESDAY, WEDNESDAY, note="Other")
    page = client.post(url(networks, "add/"), LESSON | {"first_day": "2026-09-09", "weekdays": []})
    (row,) = page.context["plan"].rows
    assert list(map(hyphened, row.details)) == [
        "clashes with the lesson of this class at 10:00-11:30, which needs the same machines",
        "people of this class who have a lesson of Databases at 10:00-11:30: 1",
    ]
    assert "Machines of the class: 0. Students: 1." in page.content.decode()


def test_a_changed_timetable_asks_again(client: Client, networks: LabClass, lesson: Lesson):
    address = url(networks, f"{lesson.pk}/2026-09-15/leave-out/")
    shown = client.post(address).context["shown"]
    Holiday.objects.create(name="Local holiday", first_day=TUESDAY + WEEK, last_day=TUESDAY + WEEK)
    occurrences.rebuild_class(networks)
    again = client.post(address, {"shown": shown})
    assert "so nothing was saved" in again.content.decode()
    assert not LessonException.objects.exists()


def test_a_lesson_that_is_gone_is_told(client: Client, networks: LabClass, lesson: Lesson):
    address = url(networks, "add/")
    shown = client.post(address, LESSON).context["shown"]
    lesson.delete()
    assert client.post(url(networks, f"{lesson.pk}/"), {"shown": shown}).status_code == 404


def test_a_lesson_that_is_over_is_not_moved(
    networks: LabClass, lesson: Lesson, tess: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(days=2))
    client = logged_in(tess)
    moved = {"new_day": "2026-09-16", "begins": "14:00", "ends": "15:00"}
    page = client.post(url(networks, f"{lesson.pk}/2026-09-08/"), moved)
    assert "This lesson is over." in page.content.decode()
    page = client.post(url(networks, f"{lesson.pk}/2026-09-08/leave-out/"), follow=True)
    assert "This lesson is over." in page.content.decode()
    assert "2026-09-08/" not in client.get(url(networks, "?day=2026-09-08")).content.decode()
    assert not LessonException.objects.exists()


def test_a_lesson_has_a_limit_of_days_that_are_different(
    client: Client, networks: LabClass, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(changes, "MOST_EXCEPTIONS", 1)
    moved = {"new_day": "2026-09-16", "begins": "14:00", "ends": "15:00"}
    save(client, url(networks, f"{lesson.pk}/2026-09-15/"), **moved)
    told = "have more than 1 days that are different. Add another lesson instead."
    assert told in client.post(url(networks, f"{lesson.pk}/extra/"), moved).content.decode()
    assert told in client.post(url(networks, f"{lesson.pk}/2026-09-22/leave-out/"), follow=True).content.decode()
    again = client.post(url(networks, f"{lesson.pk}/2026-09-15/"), moved | {"ends": "16:00"}).content.decode()
    assert "1 lesson will be changed" in again


def test_the_form_of_one_lesson_says_which_and_what_is_usual(client: Client, networks: LabClass, lesson: Lesson):
    page = client.get(url(networks, f"{lesson.pk}/2026-09-15/")).content.decode()
    assert "Change the lesson of Tue 2026-09-15" in page
    assert "As usual</option>" in page
    assert "-----" not in page


def test_a_day_without_this_lesson_is_not_found(client: Client, networks: LabClass, lesson: Lesson):
    assert client.get(url(networks, f"{lesson.pk}/2026-09-09/")).status_code == 404
    for end in ("leave-out/", "restore/"):
        assert client.post(url(networks, f"{lesson.pk}/2026-09-09/{end}")).status_code == 404


def test_there_is_an_end_to_lessons(client: Client, networks: LabClass, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("classes.timetable.changes.MOST_LESSONS", 1)
    make_lesson(networks, MONDAY, MONDAY)
    page = client.post(url(networks, "add/"), LESSON)
    assert "can&#x27;t have more than 1 lessons" in page.content.decode()


def test_a_week_is_shown_with_what_does_not_take_place(client: Client, networks: LabClass, lesson: Lesson):
    Holiday.objects.create(name="Local holiday", first_day=TUESDAY, last_day=TUESDAY)
    occurrences.rebuild_class(networks)
    page = client.get(url(networks, "?day=2026-09-08")).content.decode()
    assert "<s>10:00-11:30</s> holiday: Local holiday" in hyphened(page)
    assert "Europe/Madrid" in page
    assert "No lessons in this week." in client.get(url(networks, "?day=2026-12-24")).content.decode()
    assert client.get(url(networks, "?day=0001-01-01")).status_code == 200


def test_the_week_of_a_teacher_is_six_queries(client: Client, networks: LabClass, lesson: Lesson, tess: User):
    client.get(url(networks))
    with queries() as asked:
        client.get(url(networks))
    own = [
        one["sql"] for one in asked if "django_session" not in one["sql"] and 'FROM "accounts_user"' not in one["sql"]
    ]
    navigation = [sql for sql in own if "help" in sql or "UNION ALL" in sql]
    assert len(own) - len(navigation) <= 6, own


def test_lessons_of_other_classes_are_not_found(client: Client, networks: LabClass, theo: User):
    other = make_lesson(make_class(theo), TUESDAY, IN_TWO_WEEKS)
    for end in ("", "extra/", "2026-09-08/"):
        assert client.get(url(networks, f"{other.pk}/{end}")).status_code == 404
    for end in ("delete/", "2026-09-08/leave-out/", "2026-09-08/restore/"):
        assert client.post(url(networks, f"{other.pk}/{end}")).status_code == 404
    assert client.get(url(networks, "1/2026-13-40/")).status_code == 404
    assert Occurrence.objects.count() == 3


def test_rights_are_the_same_however_they_are_found(networks: LabClass, tess: User, ana: User, admin: User):
    membership.add_people(networks, [ana], at_once=True)
    for person in (tess, ana, admin):
        for right in access.Right:
            assert access.may(person, networks, right) == bool(access.roles(person, networks) & access.TABLE[right])
