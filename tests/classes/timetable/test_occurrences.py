"""Stored occurrences follow the rules, the past does not; and what is due is one query."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from classes import lifecycle
from classes.models import Holiday, LabClass, Lesson, LessonException, Occurrence
from classes.timetable import lookups, occurrences
from tests.classes.timetable.conftest import MONDAY, NOW, TUESDAY, make_class, make_lesson, times
from tests.labs import queries, writes
from vms.worker.schedule import PERIODIC_JOBS

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
IN_TWO_WEEKS = TUESDAY + 2 * WEEK


def test_a_lesson_across_the_change_of_clocks_stays_at_ten(networks: LabClass):
    lesson = make_lesson(networks, date(2026, 10, 20), date(2026, 11, 3))
    assert times(lesson) == ["10-20 08:00", "10-27 09:00", "11-03 09:00"]


def test_the_same_rule_in_another_zone(networks: LabClass):
    lesson = make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    networks.time_zone = "America/New_York"
    networks.save()
    occurrences.rebuild_class(networks)
    assert times(lesson) == ["09-08 14:00", "09-15 14:00", "09-22 14:00"]


def test_the_portals_zone_holds_where_the_class_has_none(settings: Any, networks: LabClass):
    settings.TIME_ZONE = "America/New_York"
    networks.time_zone = ""
    networks.save()
    assert times(make_lesson(networks, TUESDAY, TUESDAY)) == ["09-08 14:00"]


def test_what_stays_the_same_keeps_its_row(networks: LabClass):
    lesson = make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    before = list(Occurrence.objects.values_list("pk", flat=True))
    LessonException.objects.create(lesson=lesson, day=TUESDAY + WEEK, new_day=TUESDAY, begins=time(8), ends=time(9))
    Lesson.objects.update(last_day=IN_TWO_WEEKS + WEEK)
    occurrences.rebuild_class(networks)
    rows = list(Occurrence.objects.order_by("pk"))
    assert [row.pk for row in rows][:3] == before
    assert times(lesson) == ["09-08 06:00", "09-08 08:00", "09-22 08:00", "09-29 08:00"]
    with queries() as asked:
        occurrences.rebuild_class(networks)
    assert writes(asked) == []


def test_the_past_stays_as_it_was(networks: LabClass, monkeypatch: pytest.MonkeyPatch):
    lesson = make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(days=3))
    Lesson.objects.update(begins=time(9), note="Earlier")
    Holiday.objects.create(name="Strike", first_day=TUESDAY, last_day=TUESDAY)
    occurrences.rebuild_class(networks)
    assert times(lesson) == ["09-08 08:00", "09-15 07:00", "09-22 07:00"]


def test_a_lesson_that_is_over_may_come_again_on_its_day(networks: LabClass, monkeypatch: pytest.MonkeyPatch):
    lesson = make_lesson(networks, TUESDAY, TUESDAY)
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(days=1, hours=5))
    Lesson.objects.update(begins=time(15), ends=time(16))
    occurrences.rebuild_class(networks)
    assert times(lesson) == ["09-08 13:00"]


def test_lessons_outside_of_the_days_of_the_class_do_not_take_place(networks: LabClass):
    networks.starts_on, networks.ends_on = TUESDAY + WEEK, TUESDAY + WEEK
    networks.save()
    assert times(make_lesson(networks, TUESDAY, IN_TWO_WEEKS)) == ["09-15 08:00"]


def test_another_zone_and_other_days_of_the_class_are_followed(networks: LabClass):
    lesson = make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    networks.time_zone, networks.ends_on = "UTC", TUESDAY + WEEK
    lifecycle.save(networks, changed=["time_zone", "ends_on"])
    assert times(lesson) == ["09-08 10:00", "09-15 10:00"]
    LabClass.objects.update(ends_on=MONDAY - WEEK, ended_at=NOW)
    networks.refresh_from_db()
    lifecycle.reopen(networks)
    assert times(lesson) == ["09-08 10:00", "09-15 10:00", "09-22 10:00"]


def test_new_rules_of_a_zone_are_found_within_a_day(settings: Any, networks: LabClass):
    LabClass.objects.update(time_zone="")
    networks.refresh_from_db()
    settings.TIME_ZONE = "Europe/Madrid"
    lesson = make_lesson(networks, TUESDAY, TUESDAY)
    settings.TIME_ZONE = "UTC"
    PERIODIC_JOBS["check timetables"].work()
    assert times(lesson) == ["09-08 10:00"]


def test_a_holiday_is_rebuilt_for_all_classes_with_the_same_number_of_queries(tess: Any):
    def cost(classes: int, day: date) -> int:
        for number in range(classes):
            make_lesson(make_class(tess, name=f"Class {number}"), TUESDAY, IN_TWO_WEEKS)
        Holiday.objects.create(name="Day off", first_day=day, last_day=day)
        with queries() as asked:
            occurrences.rebuild_days(day, day)
        assert not Occurrence.objects.filter(day=day).exists()
        return len(asked)

    assert cost(1, TUESDAY) == cost(3, TUESDAY + WEEK)


def test_the_database_refuses_what_makes_no_sense(networks: LabClass):
    good = {"lab_class": networks, "first_day": TUESDAY, "last_day": TUESDAY, "begins": time(10), "ends": time(11)}
    for bad in (
        {"last_day": MONDAY}, {"last_day": IN_TWO_WEEKS}, {"weekdays": 128}, {"weekdays": 1, "every_weeks": 0},
        {"ends": time(10)}, {"mode": "maybe"},
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            Lesson.objects.create(**good | bad)
    lesson = Lesson.objects.create(**good)
    for bad in ({}, {"day": TUESDAY, "new_day": TUESDAY}, {"day": TUESDAY, "begins": time(10)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LessonException.objects.create(lesson=lesson, **bad)
    LessonException.objects.create(lesson=lesson, day=TUESDAY)
    with pytest.raises(IntegrityError), transaction.atomic():
        LessonException.objects.create(lesson=lesson, day=TUESDAY)


# What is due


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 9, 8, hour, minute, tzinfo=UTC)


def test_what_runs_begins_and_ends(networks: LabClass):
    lesson = make_lesson(networks, TUESDAY, IN_TWO_WEEKS, mode="start")  # 08:00 to 09:30 UTC
    quarter = timedelta(minutes=15)
    assert [due.lesson for due in lookups.running(at(8))] == [lesson.pk]
    assert lookups.running(at(7, 59)) == lookups.running(at(9, 30)) == []
    assert [due.machine_set for due in lookups.starting(at(7, 45), within=quarter)] == [networks.machine_set_id]
    assert lookups.starting(at(7, 44), within=quarter) == lookups.starting(at(8), within=quarter) == []
    assert [due.ends_at for due in lookups.ending(at(9, 15), within=quarter)] == [at(9, 30)]
    assert lookups.ending(at(9, 14), within=quarter) == lookups.ending(at(9, 30), within=quarter) == []
    assert [due.lab_class for due in lookups.recently_ended(at(9, 30), within=quarter)] == [networks.pk]
    assert lookups.recently_ended(at(9, 45), within=quarter) == []
    (due,) = lookups.running(at(8))
    assert (due.starts_machines, due.stops_machines) == (True, False)


def test_classes_that_ended_have_no_lessons(networks: LabClass):
    make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    LabClass.objects.update(ended_at=NOW)
    assert lookups.running(at(8)) == []


def test_what_is_due_is_one_query_that_skips_the_past(networks: LabClass):
    make_lesson(networks, TUESDAY, IN_TWO_WEEKS)
    with queries() as asked:
        assert len(lookups.around(at(9), before=timedelta(hours=2), after=timedelta(hours=2))) == 1
    (query,) = asked
    found = Occurrence.objects.of_open_classes().touching(at(9), at(10)).order_by("starts_at")
    # PostgreSQL reads so small a table as a whole unless told not to: the question is whether an index serves it.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert re.search(r"starts_at>\? AND starts_at<\?|Index Cond: .*starts_at > .* AND .*starts_at < ", found.explain())
    assert query["sql"].count("starts_at") >= 3
