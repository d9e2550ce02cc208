"""*What would happen*: each thing that a lesson will lack is found, with the page where it is mended."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from classes.models import IdleEvidence, LabClass, LessonMode, RunningRules
from classes.timetable import node_memory, rehearsal
from clusters import gateway, proxmox
from clusters.models import ClusterHealth
from tests.classes.conftest import logged_in
from tests.classes.timetable.conftest import MONDAY, NOW
from tests.classes.timetable.room import END, Nodes, Room, networks, room
from vms.models import Assignment, CredentialEnd, VirtualMachine

__all__ = ["networks", "room"]

pytestmark = pytest.mark.django_db

DAY = {"day": MONDAY.isoformat()}


@pytest.fixture(autouse=True)
def _rules(networks: LabClass) -> None:
    RunningRules.objects.create(lab_class=networks, starts=True)


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


def found(client: Client, lab_class: LabClass, **day: str) -> list[tuple[str, str]]:
    page = client.get(reverse("classes-rehearsal", args=[lab_class.pk]), day or DAY)
    return [(finding.text, finding.url) for finding in page.context["findings"]]


def only(client: Client, lab_class: LabClass) -> tuple[str, str]:
    [one] = found(client, lab_class)
    return one


def page_of(name: str, lab_class: LabClass) -> str:
    return reverse(name, args=[lab_class.pk])


def test_when_nothing_is_missing_it_says_so(client: Client, networks: LabClass):
    page = client.get(page_of("classes-rehearsal", networks), DAY).content.decode()
    assert "Monday 2026-09-07: nothing is missing" in page
    assert re.search(r"10:00.*11:30", page)


def test_a_day_without_lessons(client: Client, networks: LabClass):
    page = client.get(page_of("classes-rehearsal", networks)).content.decode()
    assert "No lessons on Tuesday 2026-09-08" in page  # without a day it is tomorrow


def test_a_class_that_starts_nothing(client: Client, networks: LabClass):
    RunningRules.objects.update(starts=False)
    text, url = only(client, networks)
    assert ("No machine starts by itself" in text, url) == (True, page_of("classes-hours", networks))
    networks.occurrences.update(mode=LessonMode.STOP)
    assert not found(client, networks)


def test_people_without_a_machine(client: Client, networks: LabClass, ana: User):
    Assignment.objects.filter(user=ana).update(ended_at=NOW, released_at=NOW)
    assert only(client, networks) == ("1 person has no machine: ana.", page_of("classes-machines", networks))


@pytest.mark.parametrize("what", [{"gone_at": NOW}, {"missing_since": NOW}])
def test_machines_that_are_gone(client: Client, networks: LabClass, room: Room, what: dict[str, Any]):
    room.change(102, **what)
    text, url = only(client, networks)
    assert (text, url) == (
        "1 machine is no longer on its cluster: net-102.", page_of("classes-machines", networks)
    )  # fmt: skip


def test_a_template_that_is_gone(client: Client, networks: LabClass):
    LabClass.objects.update(joining_limit=5)
    assert "The template for people who join is gone" in only(client, networks)[0]


def test_a_class_without_an_active_teacher(networks: LabClass, admin: User):
    User.objects.filter(username="tess").update(is_active=False)
    text, url = only(logged_in(admin), networks)
    assert ("No teacher of the class" in text, url) == (True, page_of("classes-teachers", networks))


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        ("agent", "1 machine is never stopped when idle, because no guest agent answers: net-101."),
        ("figures", "1 machine is never stopped when idle, because its cluster has no figures of it: net-101."),
    ],
)
def test_idle_stops_that_cannot_work(client: Client, networks: LabClass, room: Room, trouble: str, text: str):
    evidence = IdleEvidence.objects.create(vm=room.machine(101), due_at=NOW, trouble=trouble)
    assert not found(client, networks)
    RunningRules.objects.update(idle_minutes=30)
    assert only(client, networks) == (text, page_of("classes-hours", networks))
    IdleEvidence.objects.filter(pk=evidence.pk).update(trouble="")
    assert not found(client, networks)


def test_containers_are_never_idle(client: Client, networks: LabClass, room: Room):
    RunningRules.objects.update(idle_minutes=30)
    room.change(104, kind="lxc")
    assert "because no guest agent answers: net-104" in only(client, networks)[0]


def test_a_cluster_that_is_off(client: Client, networks: LabClass, room: Room, admin: User):
    room.row.is_active = False
    room.row.save()
    text = "The cluster Room is deactivated in the portal."
    assert only(client, networks) == (text, "")
    assert only(logged_in(admin), networks) == (text, reverse("vms-clusters"))


def test_a_cluster_that_does_not_respond(client: Client, networks: LabClass):
    ClusterHealth.failed("room", "No answer.", kind="Unreachable", at=NOW)
    assert "The cluster Room is not responding now." in only(client, networks)[0]


@pytest.mark.parametrize(("late", "is_found"), [(-1, True), (1, False)])
def test_a_token_that_ends_before_the_lesson_is_over(client: Client, networks: LabClass, late: int, is_found: bool):
    end = END + timedelta(minutes=late)
    CredentialEnd.objects.create(cluster_id="room", credential_version=1, asked_at=NOW, ends_at=end)
    texts = [text for text, _url in found(client, networks)]
    assert texts == ["The portal's credential for the cluster Room expires before the lessons are over."] * is_found


@pytest.mark.parametrize(("size", "texts"), [
    (3, []),
    (5, ["The node pve2 has 8 GB of memory; all machines of lessons then need 10 GB."]),
])  # fmt: skip
def test_memory(client: Client, networks: LabClass, monkeypatch: pytest.MonkeyPatch, size: int, texts: list[str]):
    monkeypatch.setattr(gateway, "read", Nodes)
    VirtualMachine.objects.update(memory=size * 2**30)
    page = client.post(f"{page_of('classes-rehearsal', networks)}?day={MONDAY}")
    assert [finding.text for finding in page.context["findings"]] == texts
    assert "The memory of the nodes was checked." in page.content.decode()


def test_a_cluster_that_does_not_tell_its_memory(networks: LabClass, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Nodes, node: str) -> Any:
        raise proxmox.PermissionMissing

    monkeypatch.setattr(gateway, "read", Nodes)
    monkeypatch.setattr(Nodes, "node_status", refuse)
    [finding] = node_memory.findings(rehearsal.lessons_on(LabClass.objects.all(), MONDAY))[networks.pk]
    assert "does not say how much memory" in finding.text
