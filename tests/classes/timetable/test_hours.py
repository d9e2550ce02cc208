"""Hours of own use: what counts, what a student sees of it, and what happens at zero."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from classes.models import ExtraHours, LabClass, Membership, RunningRules, StopNotice, UsedTime
from classes.timetable import hours, stopping
from tests.classes.conftest import logged_in
from tests.classes.timetable.room import BELL, END, Go, Room, go, networks, room
from tests.labs import queries
from vms.access import rules as access_rules
from vms.models import ClusterSync, Operation

__all__ = ["go", "networks", "room"]

pytestmark = pytest.mark.django_db

HOUR = 3600.0


@pytest.fixture(autouse=True)
def rules(networks: LabClass, room: Room) -> RunningRules:
    """Two hours a week. ana's machine is running."""
    room.change(101, status="running", booted_at=BELL - timedelta(hours=1))
    room.change(102, status="stopped")
    return RunningRules.objects.create(lab_class=networks, hours=2)


def used(person: User | None = None) -> int:
    rows = UsedTime.objects.filter(user=person) if person else UsedTime.objects.all()
    return sum(rows.values_list("minutes", flat=True))


def minutes(go: Go, count: int, *, at: float = 2 * HOUR) -> None:
    """The worker counts so many minutes, from so many seconds after the lesson."""
    for number in range(count):
        go(at + 60 * number, after=END)
        hours.count_minute()


def use_up(networks: LabClass, person: User, count: int = 120) -> None:
    UsedTime.objects.create(lab_class=networks, user=person, day=networks.today, minutes=count, counted_at=BELL)


def test_each_minute_that_a_machine_runs_counts_for_its_person(ana: User, ben: User, go: Go):
    minutes(go, 5)
    assert (used(ana), used(ben)) == (5, 0)


def test_a_minute_counts_once_whatever_the_number_of_workers_and_machines(room: Room, ana: User, ben: User, go: Go):
    go(2 * HOUR, after=END)
    for _worker in range(3):
        hours.count_minute()
    go(2 * HOUR + 50, after=END)
    hours.count_minute()
    assert used(ana) == 1


def test_lessons_are_free(go: Go):
    minutes(go, 3, at=-HOUR)
    assert used() == 0


def test_what_a_teacher_starts_is_free(room: Room, tess: User, ana: User, go: Go):
    start = room.operation(101, "start", END, requested_by=tess)
    minutes(go, 3)
    assert used() == 0
    Operation.objects.filter(pk=start.pk).update(requested_by=ana)
    minutes(go, 3)
    assert used(ana) == 3


def test_what_the_timetable_started_counts_after_the_lesson(room: Room, tess: User, ana: User, go: Go):
    room.operation(101, "start", BELL, requested_by=tess, origin="timetable")
    minutes(go, 3)
    assert used(ana) == 3


def test_what_was_not_observed_does_not_count(go: Go):
    go(2 * HOUR, after=END)
    ClusterSync.objects.update(synced_at=END)
    hours.count_minute()
    assert used() == 0


def test_without_a_limit_nothing_is_counted(rules: RunningRules, go: Go):
    rules.hours = None
    rules.save()
    minutes(go, 3)
    assert not UsedTime.objects.exists()


def test_counting_asks_the_same_number_of_queries_for_any_number_of_machines(room: Room, go: Go):
    minutes(go, 1)
    go(2 * HOUR + 60, after=END)
    with queries() as few:
        hours.count_minute()
    room.change(104, status="running")
    go(2 * HOUR + 120, after=END)
    with queries() as more:
        hours.count_minute()
    assert len(few) == len(more) <= 9


@pytest.mark.parametrize(("period", "left"), [("week", 120), ("term", 20)])
def test_a_week_begins_anew_and_a_term_does_not(
    networks: LabClass, rules: RunningRules, ana: User, period: str, left: int
):
    rules.hours_per = period
    rules.save()
    use_up(networks, ana, 100)
    UsedTime.objects.update(day=networks.today - timedelta(days=1))  # a Sunday
    meter = hours.meter_for(networks, ana.pk)
    assert meter
    assert meter.left == left


def test_the_hours_before_the_first_day_of_the_class_do_not_count(networks: LabClass, rules: RunningRules, ana: User):
    rules.hours_per = "term"
    rules.save()
    use_up(networks, ana, 100)
    networks.starts_on = networks.today + timedelta(days=1)
    networks.save()
    meter = hours.meter_for(networks, ana.pk)
    assert meter
    assert meter.left == 120


# At zero


def refusal(person: User, room: Room) -> str:
    decisions = access_rules.explain(person, room.machine(101), "start")
    return next((one.text for one in decisions if "ours of own use" in one.text), "")


def test_at_zero_nothing_starts_outside_lessons(networks: LabClass, room: Room, ana: User, tess: User, go: Go):
    room.change(101, status="stopped")
    go(2 * HOUR, after=END)
    assert refusal(ana, room) == ""
    use_up(networks, ana)
    assert "Your hours of own use in this class are used up." in refusal(ana, room)
    assert refusal(tess, room) == ""
    go(60)
    assert refusal(ana, room) == ""


def test_a_running_machine_gets_a_notice_and_is_shut_down(networks: LabClass, ana: User, go: Go):
    use_up(networks, ana)
    stops = 0
    for second in range(0, 660, 20):
        go(2 * HOUR + second, after=END)
        stops += stopping.look()
        assert stops == 0 or second >= 600
    assert (stops, StopNotice.objects.get().reason) == (1, "hours")
    assert StopNotice.objects.get().evidence["hours_left_minutes"] == 0


def test_while_hours_are_left_it_runs(networks: LabClass, ana: User, go: Go):
    use_up(networks, ana, 119)
    go(2 * HOUR, after=END)
    stopping.look()
    assert not StopNotice.objects.exists()


def test_nothing_is_shut_down_in_a_lesson(networks: LabClass, ana: User, go: Go):
    use_up(networks, ana)
    go(HOUR)
    stopping.look()
    assert not StopNotice.objects.exists()


def test_do_not_stop_holds_against_it_only_when_a_teacher_chose_it(
    networks: LabClass, room: Room, ana: User, tess: User, go: Go
):
    """Otherwise hours would mean nothing: the button can be pressed again and again."""
    use_up(networks, ana)
    url = reverse("classes-hold", args=[room.machine(101).pk])
    go(2 * HOUR, after=END)
    logged_in(ana).post(url, {"hours": "8"})
    stopping.look()
    assert StopNotice.objects.get().reason == "hours"
    logged_in(tess).post(url, {"hours": "8"})
    go(2 * HOUR + 15, after=END)
    stopping.look()
    assert StopNotice.objects.get().outcome == "withdrawn"
    logged_in(ana).post(url, {"hours": "0"})  # her own switch, not the teacher's
    go(2 * HOUR + 30, after=END)
    stopping.look()
    assert StopNotice.objects.count() == 1
    logged_in(tess).post(url, {"hours": "0"})
    go(2 * HOUR + 45, after=END)
    stopping.look()
    assert StopNotice.objects.count() == 2


def test_the_class_page_says_so(networks: LabClass, rules: RunningRules, ana: User, go: Go):
    go(2 * HOUR, after=END)
    assert "Do not stop" not in text(logged_in(ana).get(f"/classes/{networks.pk}/"))
    RunningRules.objects.update(idle_minutes=45)
    page = text(logged_in(ana).get(f"/classes/{networks.pk}/"))
    assert "when nobody has used it for 45 minutes" in page
    assert "“Do not stop” does not hold when your hours are used up." in page
    assert "after a lesson, if it was running" not in page


# What people see


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def teacher_page(tess: User) -> Client:
    return logged_in(tess)


def test_a_student_sees_the_meter(networks: LabClass, ana: User, go: Go):
    go(2 * HOUR, after=END)
    use_up(networks, ana, 50)
    page = text(logged_in(ana).get(f"/classes/{networks.pk}/"))
    assert "50 min" in page
    assert "of 2 h used, 1 h 10 min left this week" in page


def test_without_a_limit_there_is_no_meter(networks: LabClass, rules: RunningRules, ana: User):
    rules.delete()
    assert "Hours of own use" not in text(logged_in(ana).get(f"/classes/{networks.pk}/"))


def test_a_teacher_gives_one_person_more(networks: LabClass, ana: User, ben: User, teacher_page: Client, go: Go):
    go(2 * HOUR, after=END)
    Membership.objects.create(lab_class=networks, user=ben, joined_at=END)
    use_up(networks, ana)
    page = teacher_page.post(
        reverse("classes-extra-hours", args=[networks.pk]), {"person": ana.pk, "hours": "3"}, follow=True
    )
    assert "ana has 3 hours more." in text(page)
    assert "2 h of 5 h used, 3 h left this week" in text(page)
    assert "0 h of 2 h used" in text(page)


@pytest.mark.parametrize("count", ["0", "-1", "501", "", "x"])
def test_not_any_number_of_hours(networks: LabClass, ana: User, teacher_page: Client, count: str):
    teacher_page.post(reverse("classes-extra-hours", args=[networks.pk]), {"person": ana.pk, "hours": count})
    assert not ExtraHours.objects.exists()


def test_not_to_people_of_other_classes(networks: LabClass, ben: User, teacher_page: Client):
    teacher_page.post(reverse("classes-extra-hours", args=[networks.pk]), {"person": ben.pk, "hours": "1"})
    assert not ExtraHours.objects.exists()
