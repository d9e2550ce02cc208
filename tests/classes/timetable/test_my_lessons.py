"""A person's own lessons: the page, and the calendar that other programs read."""

from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import pytest
import recurring_ical_events
from django.test import Client

from accounts.models import User
from classes.enrolment import membership
from classes.models import CalendarFeed, LabClass, Lesson, LessonException
from classes.timetable import occurrences
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import TUESDAY, WEDNESDAY, make_class, make_lesson, times
from tests.labs import queries

pytestmark = pytest.mark.django_db

IN_TWO_WEEKS = TUESDAY + timedelta(weeks=2)
PAGE = "/classes/lessons/"


@pytest.fixture
def lesson(networks: LabClass, ana: User) -> Lesson:
    """Across the change of clocks, with a day that is moved, and one that is left out."""
    membership.add_people(networks, [ana], at_once=True)
    lesson = make_lesson(networks, date(2026, 10, 13), date(2026, 11, 3), note="Room 12")
    moved = {"new_day": date(2026, 10, 21), "begins": "09:00", "ends": "10:00"}
    LessonException.objects.create(lesson=lesson, day=date(2026, 10, 20), **moved)
    LessonException.objects.create(lesson=lesson, day=date(2026, 11, 3))
    occurrences.rebuild_class(networks)
    return lesson


def calendar_url(client: Client) -> str:
    page = client.post(f"{PAGE}feed/", follow=True)
    return str(page.context["link"]).removeprefix("http://testserver")


def events(content: bytes) -> list[tuple[str, datetime, datetime]]:
    calendar = icalendar.Calendar.from_ical(content)
    found = recurring_ical_events.of(calendar).between(date(2026, 9, 1), date(2027, 9, 1))
    return sorted((str(one["SUMMARY"]), one["DTSTART"].dt, one["DTEND"].dt) for one in found)


def test_another_library_reads_the_same_lessons(lesson: Lesson, ana: User):
    answer = Client().get(calendar_url(logged_in(ana)))
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    rows = lesson.occurrences.order_by("starts_at")
    assert events(answer.content) == [("Networks 101", row.starts_at, row.ends_at) for row in rows]
    assert times(lesson) == ["10-13 08:00", "10-21 07:00", "10-27 09:00"]


def test_a_lesson_keeps_its_identity_when_it_moves(lesson: Lesson, ana: User):
    url = calendar_url(logged_in(ana))

    def identities() -> list[str]:
        return [str(one["UID"]) for one in icalendar.Calendar.from_ical(Client().get(url).content).walk("VEVENT")]

    before = identities()
    Lesson.objects.update(begins="09:30")
    occurrences.rebuild_class(lesson.lab_class)
    assert sorted(identities()) == sorted(before)
    assert len(set(before)) == 3


def test_a_calendar_that_is_known_is_not_sent_again(lesson: Lesson, ana: User):
    url = calendar_url(logged_in(ana))
    first = Client().get(url)
    with queries() as asked:
        again = Client().get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, len(asked)) == (304, b"", 2)
    Lesson.objects.update(note="Room 13")
    occurrences.rebuild_class(lesson.lab_class)
    assert Client().get(url, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_the_address_is_shown_once_and_stored_as_a_hash(ana: User):
    client = logged_in(ana)
    url = calendar_url(client)
    token = url.split("/")[2]
    assert token not in str(list(CalendarFeed.objects.values_list()))
    assert token not in client.get(PAGE).content.decode()
    assert not client.get(PAGE).context["link"]


def test_a_new_address_ends_the_old_one(ana: User):
    client = logged_in(ana)
    old, new = calendar_url(client), calendar_url(client)
    assert (Client().get(old).status_code, Client().get(new).status_code) == (404, 200)
    client.post(f"{PAGE}feed/stop/")
    assert Client().get(new).status_code == 404
    assert not CalendarFeed.objects.exists()


def test_it_works_while_the_person_is_active_and_in_the_class(lesson: Lesson, ana: User):
    url = calendar_url(logged_in(ana))
    assert len(events(Client().get(url).content)) == 3
    membership.remove(ana.memberships.get(), way="as-it-is", by=lesson.lab_class.owner)
    assert events(Client().get(url).content) == []
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert Client().get(url).status_code == 404


def test_an_address_carried_for_one_person_is_not_shown_to_another(ana: User, ben: User):
    client = logged_in(ana)
    client.post(f"{PAGE}feed/")
    carried = client.cookies["new-calendar"].value
    other = logged_in(ben)
    other.cookies["new-calendar"] = carried
    assert not other.get(PAGE).context["link"]


def test_it_opens_no_session_and_takes_no_form(ana: User):
    url = calendar_url(logged_in(ana))
    answer = Client().get(url)
    assert not answer.cookies
    assert "no-cache" in answer["Cache-Control"]
    assert Client().post(url).status_code == 405
    assert Client().get("/calendar/made-up/").status_code == 404


def test_my_lessons_are_those_i_teach_and_take(networks: LabClass, tess: User, theo: User, ana: User):
    make_lesson(networks, TUESDAY, TUESDAY)
    databases = make_class(theo, name="Databases")
    make_lesson(databases, WEDNESDAY, WEDNESDAY)
    membership.add_people(databases, [tess], at_once=True)
    User.objects.filter(pk=tess.pk).update(time_zone="America/New_York")
    page = logged_in(tess).get(PAGE).content.decode()
    assert page.index("Networks 101") < page.index("Databases")
    assert "04:00" in page  # by the reader's clock
    assert "Networks" not in logged_in(ana).get(PAGE).content.decode()


def test_my_lessons_cost_the_same_for_any_number(networks: LabClass, tess: User):
    client = logged_in(tess)

    def cost() -> int:
        with queries() as asked:
            client.get(PAGE)
        return len(asked)

    cost()
    first = cost()
    for number in range(3):
        make_lesson(make_class(tess, name=f"Class {number}"), TUESDAY, IN_TWO_WEEKS)
    assert cost() == first <= 5  # with session, person and navigation


def test_the_next_lesson_stands_at_each_class_and_on_its_page(networks: LabClass, lesson: Lesson, ana: User):
    client = logged_in(ana)
    User.objects.filter(pk=ana.pk).update(time_zone="Europe/Madrid")
    assert "next lesson Tue 2026-10-13 10:00" in client.get("/classes/").content.decode()
    page: Any = client.get(f"/classes/{networks.pk}/").content.decode()
    assert "Tue 2026-10-13 10:00" in page
    assert "Room 12" in page
