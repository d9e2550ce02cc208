"""*What would happen* for a day of all classes that one runs: what each will lack, and where it is mended."""

import re
from datetime import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from classes.enrolment import class_machines
from classes.models import LabClass, RunningRules
from clusters import gateway
from tests.classes.conftest import logged_in, teacher
from tests.classes.timetable.conftest import MONDAY, NOW, make_class, make_lesson
from tests.classes.timetable.room import Nodes, Room, networks, room
from vms.models import Assignment, ClusterGrant, VirtualMachine

__all__ = ["networks", "room"]

pytestmark = pytest.mark.django_db

PAGE, DAY = "/classes/rehearsal/", {"day": MONDAY.isoformat()}


@pytest.fixture
def lab(networks: LabClass, tess: User, room: Room) -> LabClass:
    """Another class of tess, with a machine of its own and a lesson at 11 o'clock."""
    RunningRules.objects.create(lab_class=networks, starts=True)
    made = make_class(tess, "Lab")
    grant = ClusterGrant.objects.create(machine_set=made.machine_set, cluster=room.row)
    assert grant
    one = VirtualMachine.objects.create(cluster=room.row, vmid=110, name="lab-110", node="pve2", status="stopped")
    class_machines.add(made, [one.pk], by=tess)
    RunningRules.objects.create(lab_class=made, starts=True)
    make_lesson(made, MONDAY, MONDAY, begins=time(11), ends=time(12))
    return made


def found(client: Client, **day: str) -> dict[str, list[tuple[str, str]]]:
    """By class: what it will lack, and where that is mended."""
    rows = client.get(PAGE, day or DAY).context["rows"]
    return {one.name: [(finding.text, finding.url) for finding in findings] for one, _lessons, findings in rows}


def test_each_class_with_what_it_lacks(lab: LabClass, networks: LabClass, tess: User, ana: User):
    Assignment.objects.filter(user=ana).update(ended_at=NOW, released_at=NOW)
    RunningRules.objects.filter(lab_class=lab).update(starts=False)
    machines, hours = (
        reverse(name, args=[one.pk]) for name, one in (("classes-machines", networks), ("classes-hours", lab))
    )
    assert found(logged_in(tess)) == {
        "Networks 101": [("1 person has no machine: ana.", machines)],
        "Lab": [("No machine starts by itself: the class does not start its machines before lessons.", hours)],
    }
    page = logged_in(tess).get(PAGE, DAY).content.decode()
    assert "Monday 2026-09-07: 2 things to mend" in page
    assert re.search(r"Networks 101.*10:00.11:30.*Lab.*11:00.12:00", page, re.DOTALL)


def test_nothing_is_missing_and_no_lessons(lab: LabClass, tess: User):
    client = logged_in(tess)
    assert "Monday 2026-09-07: nothing is missing" in client.get(PAGE, DAY).content.decode()
    assert "No lessons on Tuesday 2026-09-08" in client.get(PAGE).content.decode()  # without a day it is tomorrow


def test_the_memory_of_a_node_that_two_classes_share(
    lab: LabClass, networks: LabClass, tess: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gateway, "read", Nodes)
    VirtualMachine.objects.update(memory=3 * 2**30)  # three of them are on pve2, which has 8 GB
    page = logged_in(tess).post(f"{PAGE}?day={MONDAY}")
    texts = [(one.name, finding.text) for one, _lessons, some in page.context["lacking"] for finding in some]
    assert texts == [("Networks 101", "The node pve2 has 8 GB of memory; all machines of lessons then need 9 GB.")]
    lab.occurrences.all().delete()
    assert not logged_in(tess).post(f"{PAGE}?day={MONDAY}").context["lacking"]


def test_teachers_see_their_own_classes_and_administrators_all(lab: LabClass, tess: User, admin: User, ana: User):
    other = teacher("otto")
    make_lesson(make_class(other, "Databases"), MONDAY, MONDAY)
    assert set(found(logged_in(other))) == {"Databases"}
    assert set(found(logged_in(tess))) == {"Networks 101", "Lab"}
    assert set(found(logged_in(admin))) == {"Networks 101", "Lab", "Databases"}
    assert logged_in(ana).get(PAGE).status_code == 404


def test_the_number_of_queries_does_not_depend_on_the_number_of_classes(lab: LabClass, tess: User, admin: User):
    client = logged_in(admin)
    found(client)
    with CaptureQueriesContext(connection) as few:
        found(client)
    for number in range(5):
        make_lesson(make_class(tess, f"Class {number}"), MONDAY, MONDAY)
    with CaptureQueriesContext(connection) as many:
        assert len(found(client)) == 7
    assert len(many) == len(few)


def test_the_list_of_classes_leads_there(lab: LabClass, tess: User, ana: User):
    assert PAGE in logged_in(tess).get("/classes/").content.decode()
    assert PAGE not in logged_in(ana).get("/classes/").content.decode()
