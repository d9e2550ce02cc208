"""Machines are ready at the bell: what the worker starts, when, and what the teacher sees."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import User
from classes.models import LabClass, LessonMode, LessonStart, MeasuredStart, RunningRules
from classes.timetable import measuring, readiness, starting
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import NOW
from tests.classes.timetable.room import BELL, Go, Room, go, networks, room
from tests.labs import queries
from vms.models import ClusterSync, Operation, VirtualMachine

__all__ = ["go", "networks", "room"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rules(networks: LabClass) -> None:
    RunningRules.objects.create(lab_class=networks, starts=True)


def started() -> list[int]:
    found = Operation.objects.filter(action="start", origin="timetable").order_by("vmid")
    return list(found.values_list("vmid", flat=True))


def take(room: Room, vmid: int, *seconds: float) -> None:
    """Its last starts took so long."""
    for number, length in enumerate(seconds):
        done = room.operation(vmid, "start", BELL - timedelta(days=7, minutes=number))
        MeasuredStart.objects.create(vm=done.vm, operation=done, seconds=length, at=done.requested_at)


def test_machines_of_people_start_so_that_they_are_ready(networks: LabClass, go: Go):
    go(-130)
    assert starting.start_due() == 0
    go(-110)
    assert starting.start_due() == 2
    assert started() == [101, 104]


def test_they_start_in_the_name_of_a_teacher_and_say_that_the_timetable_asked(networks: LabClass, go: Go):
    go(-60)
    starting.start_due()
    one = Operation.objects.get(vmid=101)
    assert (one.requested_by, one.asked_by) == (networks.owner, "timetable")


def test_slow_machines_start_earlier(networks: LabClass, room: Room, go: Go):
    take(room, 101, 150, 150, 150)
    take(room, 104, 20, 20, 20)
    go(-170)
    starting.start_due()
    assert started() == [101]


def test_nothing_is_started_twice(networks: LabClass, go: Go):
    for seconds in (-60, -50, -40):
        go(seconds)
        starting.start_due()
    Operation.objects.update(state="failed", finished_at=NOW, admitted_at=NOW)
    go(-30)
    assert starting.start_due() == 0
    assert started() == [101, 104]


def test_nothing_starts_by_default(networks: LabClass, go: Go):
    RunningRules.objects.update(starts=False)
    go(0)
    assert starting.start_due() == 0
    RunningRules.objects.all().delete()
    assert starting.start_due() == 0


def test_machines_of_nobody_start_where_the_class_says_so(networks: LabClass, room: Room, go: Go):
    room.change(102, status="stopped")
    RunningRules.objects.update(starts_without_person=True)
    go(-10)
    starting.start_due()
    assert started() == [101, 102, 104]


def test_a_lesson_that_only_stops_machines_starts_none(networks: LabClass, go: Go):
    networks.occurrences.update(mode=LessonMode.STOP)
    go(0)
    assert starting.start_due() == 0


def test_a_machine_that_was_turned_off_in_the_lesson_stays_off(networks: LabClass, room: Room, go: Go):
    now = go(60)
    room.operation(101, "shutdown", now - timedelta(seconds=10))
    starting.start_due()
    assert started() == [104]


def test_one_that_was_turned_off_before_it_is_started(networks: LabClass, room: Room, go: Go):
    now = go(-30)
    room.operation(101, "shutdown", now - timedelta(minutes=5))
    starting.start_due()
    assert started() == [101, 104]


def test_a_locked_machine_is_left_alone(networks: LabClass, room: Room, go: Go):
    room.change(101, lock="backup")
    go(0)
    starting.start_due()
    assert started() == [104]


def test_a_machine_that_was_not_seen_lately_is_left_alone(networks: LabClass, room: Room, go: Go):
    go(0)
    ClusterSync.objects.update(synced_at=BELL - timedelta(minutes=5))
    assert starting.start_due() == 0


def test_without_an_active_teacher_nothing_is_started(networks: LabClass, theo: User, go: Go):
    User.objects.filter(username="tess").update(is_active=False)
    go(0)
    assert starting.start_due() == 0
    networks.co_owners.add(theo)
    networks.machine_set.stewards.add(theo)
    assert starting.start_due() == 2


@pytest.mark.parametrize(("seconds", "expected"), [(300, [101, 104]), (900, [101, 104]), (100 * 60, [])])
def test_a_worker_that_was_off_starts_what_is_of_use(networks: LabClass, go: Go, seconds: float, expected: list[int]):
    go(seconds)
    starting.start_due()
    assert started() == expected


def test_only_as_many_as_the_node_allows_start_at_once(networks: LabClass, room: Room, go: Go):
    room.limit(node_limit=1)
    room.change(104, node="pve1")
    go(-90)
    assert starting.start_due() == 1


def test_the_look_asks_the_same_number_of_queries_for_any_number_of_machines(networks: LabClass, room: Room, go: Go):
    go(-300)
    starting.start_due()
    with queries() as few:
        starting.start_due()
    room.change(102, status="stopped")
    RunningRules.objects.update(starts_without_person=True)
    with queries() as more:
        starting.start_due()
    assert len(few) == len(more) <= 8


# What the teacher sees


def text(person: User, networks: LabClass, page: str = "bell") -> str:
    answer = logged_in(person).get(f"/classes/{networks.pk}/{page}/").content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer))


def test_the_teacher_sees_how_many_are_ready(networks: LabClass, tess: User, go: Go):
    go(-200)
    assert "0 of 2 ready" in text(tess, networks)
    assert "2 machines will be ready by then" in text(tess, networks, "live")


def test_and_which_will_be_late(networks: LabClass, room: Room, tess: User, go: Go):
    room.limit(node_limit=1)
    room.change(104, node="pve1")
    go(-90)
    starting.start_due()
    page = text(tess, networks)
    assert "0 of 2 ready, 1 is late" in page
    assert "its node starts only a few machines at a time" in page


def test_and_why_one_cannot_start(networks: LabClass, room: Room, tess: User, go: Go):
    room.change(101, lock="backup")
    go(-200)
    page = text(tess, networks)
    assert "1 is late" in page
    assert "being backed up" in page


def test_a_running_machine_counts_when_it_has_booted(networks: LabClass, room: Room, tess: User, go: Go):
    now = go(-5)
    room.operation(101, "start", now - timedelta(seconds=30), origin="timetable")
    room.change(101, 104, status="running")
    found = readiness.of_class(networks, tess, now)
    assert found
    assert (found.ready, len(found.late)) == (1, 1)
    later = readiness.of_class(networks, tess, now + timedelta(seconds=61))
    assert later
    assert later.ready == 2


def test_it_says_what_a_worker_missed(networks: LabClass, tess: User, go: Go):
    go(120)
    starting.start_due()
    assert LessonStart.objects.get().requested == 2
    assert "they were started 4 minutes too late" in text(tess, networks)


@pytest.mark.parametrize(("last_look", "starts"), [(-300, 2), (620, 0)])
def test_a_worker_that_was_off_around_the_bell_begins_again(
    networks: LabClass, room: Room, go: Go, last_look: int, starts: int
):
    """One that was there for ten minutes after the bell leaves machines off: whoever turned them off wanted that."""
    room.change(101, 104, status="running")
    for seconds in range(-300, last_look + 1, 40):
        go(seconds)
        assert starting.start_due() == 0
    room.change(101, 104, status="stopped")
    go(900)
    assert starting.start_due() == starts
    assert ("minutes too late" in text(networks.owner, networks)) == (starts > 0)


def test_the_rest_is_started_by_hand(networks: LabClass, tess: User, go: Go):
    go(120)
    Operation.objects.all().delete()
    page = logged_in(tess).get(f"/classes/{networks.pk}/bell/").content.decode()
    rest = re.findall(r'name="machine" value="(\d+)"', page)
    logged_in(tess).post(reverse("vms-set-ask", args=[networks.machine_set_id]), {"action": "start", "machine": rest})
    assert set(Operation.objects.values_list("vmid", "origin")) == {(101, ""), (104, "")}


def test_far_from_a_lesson_there_is_nothing_to_see(networks: LabClass, tess: User, go: Go):
    go(-3600)
    assert "ready" not in text(tess, networks)


# How long starts take


def test_a_start_is_measured_until_the_machine_has_an_address(networks: LabClass, room: Room, go: Go):
    now = go(0)
    room.operation(101, "start", now - timedelta(seconds=70))
    machine = VirtualMachine.objects.filter(vmid=101)
    machine.update(status="running", addresses=["192.0.2.9"], details_at=now - timedelta(seconds=90))
    assert measuring.measure_starts() == 0  # the address is of the time before
    machine.update(details_at=now - timedelta(seconds=25))
    assert measuring.measure_starts() == 1
    assert measuring.measure_starts() == 0
    assert MeasuredStart.objects.get().seconds == 45


def test_without_an_address_the_end_of_the_start_counts(networks: LabClass, room: Room, go: Go):
    now = go(0)
    start = room.operation(101, "start", now - timedelta(minutes=6))
    room.change(101, status="running")
    Operation.objects.filter(pk=start.pk).update(finished_at=now - timedelta(minutes=5, seconds=30))
    assert measuring.measure_starts() == 1
    assert MeasuredStart.objects.get().seconds == 30


def test_the_last_three_starts_are_kept(networks: LabClass, room: Room, go: Go):
    take(room, 101, 30, 20, 10)
    now = go(0)
    room.operation(101, "start", now - timedelta(seconds=70))
    room.change(101, status="running", addresses=["192.0.2.9"], details_at=now)
    measuring.measure_starts()
    assert list(MeasuredStart.objects.order_by("at").values_list("seconds", flat=True)) == [20, 30, 70]


def test_the_settings_are_saved(networks: LabClass, tess: User):
    page = logged_in(tess).post(
        f"/classes/{networks.pk}/hours/",
        {"starts_without_person": "on", "keeps": "2", "hours_per": "week"},
        follow=True,
    )
    assert "Saved." in page.content.decode()
    kept = RunningRules.objects.get()
    assert (kept.starts, kept.starts_without_person) == (False, True)
