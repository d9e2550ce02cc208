"""The school's holidays in the administration: the lessons of all classes follow."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from classes.models import Holiday, LabClass
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import TUESDAY, make_class, make_lesson, times

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
ADMIN = "/admin/classes/holiday/"


@pytest.fixture
def client(lab_admin: User) -> Client:
    return logged_in(lab_admin)


def test_lessons_follow_a_holiday_that_comes_moves_and_goes(client: Client, networks: LabClass, theo: User):
    lessons = [make_lesson(made, TUESDAY, TUESDAY + WEEK) for made in (networks, make_class(theo, name="Databases"))]
    client.post(f"{ADMIN}add/", {"name": "Local holiday", "first_day": TUESDAY, "last_day": TUESDAY})
    assert [times(lesson) for lesson in lessons] == [["09-15 08:00"]] * 2
    holiday = Holiday.objects.get()
    moved = {"name": "Local holiday", "first_day": TUESDAY + WEEK, "last_day": TUESDAY + WEEK}
    client.post(f"{ADMIN}{holiday.pk}/change/", moved)
    assert [times(lesson) for lesson in lessons] == [["09-08 08:00"]] * 2
    client.post(f"{ADMIN}{holiday.pk}/delete/", {"post": "yes"})
    assert [times(lesson) for lesson in lessons] == [["09-08 08:00", "09-15 08:00"]] * 2


def test_several_go_at_once(client: Client, networks: LabClass):
    lesson = make_lesson(networks, TUESDAY, TUESDAY + WEEK)
    for day in (TUESDAY, TUESDAY + WEEK):
        client.post(f"{ADMIN}add/", {"name": "Day off", "first_day": day, "last_day": day})
    assert times(lesson) == []
    keys = list(Holiday.objects.values_list("pk", flat=True))
    client.post(ADMIN, {"action": "delete_selected", "_selected_action": keys, "post": "yes"})
    assert len(times(lesson)) == 2


def test_a_holiday_that_ends_before_it_begins_is_refused(client: Client):
    page = client.post(f"{ADMIN}add/", {"name": "Odd", "first_day": TUESDAY, "last_day": TUESDAY - WEEK})
    assert page.context["adminform"].form.errors
