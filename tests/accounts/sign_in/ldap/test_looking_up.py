"""Teachers add people whom the directory knows, before these ever signed in; and see who left."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import SignInIdentity, User
from classes import lifecycle
from classes.models import LabClass, Membership
from tests.accounts.sign_in.ldap.conftest import log_in, school
from tests.directories.slapd import Slapd, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(start: Any) -> Slapd:
    many = [person(f"pupil{n}", sn="Many") for n in range(25)]
    made: Slapd = start(person("cora", sn="Díaz", givenName="Córa"), person("tom", sn="O*Brien"), *many)
    return made


@pytest.fixture
def lab_class(ana: User) -> LabClass:
    return lifecycle.create(LabClass(name="Networks"), owner=ana, grants=())


@pytest.fixture
def teacher(client: Client, ana: User, lab_class: LabClass) -> Client:
    client.force_login(ana, backend="accounts.lockout.RecheckingBackend")
    return client


def page(lab_class: LabClass) -> str:
    return f"/classes/{lab_class.pk}/people/directory/"


def search(teacher: Client, lab_class: LabClass, text: str) -> list[str]:
    return [one.username for one in teacher.post(page(lab_class), {"text": text}).context["found"]]


def test_a_place_waits_for_whoever_never_signed_in(server: Slapd, teacher: Client, lab_class: LabClass):
    source = school(server)
    assert search(teacher, lab_class, "día") == ["cora"]
    teacher.post(page(lab_class), {"directory": source.pk, "person": "cora"})
    membership = Membership.objects.get()
    assert (membership.user.username, membership.user.get_full_name()) == ("cora", "Córa Díaz")
    assert membership.joined_at
    assert membership.user.identities.get().last_seen_at is None
    assert log_in(Client(), "cora").status_code == 302
    assert User.objects.filter(username="cora").count() == 1
    assert SignInIdentity.objects.get().last_seen_at


def test_a_search_is_bounded_escaped_and_recorded(server: Slapd, teacher: Client, lab_class: LabClass):
    school(server)
    assert len(search(teacher, lab_class, "many")) == 20
    assert search(teacher, lab_class, "o*b") == ["tom"]
    assert search(teacher, lab_class, "***") == search(teacher, lab_class, "co") == []
    assert search(teacher, lab_class, ")(uid=*") == []
    told = LogEntry.objects.filter(changes__has_key="searched the directory for")
    assert "many" in str([entry.changes for entry in told])


def test_nobody_is_added_whom_the_rules_or_the_directory_do_not_let_in(
    server: Slapd, teacher: Client, lab_class: LabClass
):
    source = school(server, everyone=False)
    for who in ("cora", "nobody", "*"):
        teacher.post(page(lab_class), {"directory": source.pk, "person": who})
    User.objects.create_user("tom")
    source.rules.create(on="everyone")
    answer = teacher.post(page(lab_class), {"directory": source.pk, "person": "tom"}, follow=True)
    assert "already an account" in answer.content.decode()
    assert not Membership.objects.exists()
    server.stop()
    answer = teacher.post(page(lab_class), {"text": "cora"}, follow=True)
    assert "is not responding" in answer.content.decode()


def test_the_class_says_who_left_and_keeps_them(server: Slapd, teacher: Client, lab_class: LabClass):
    source = school(server)
    teacher.post(page(lab_class), {"directory": source.pk, "person": "cora"})
    people = f"/classes/{lab_class.pk}/people/"
    assert "Left the school" not in teacher.get(people).content.decode()
    SignInIdentity.objects.update(left_at=timezone.now())
    assert "Left the school" in teacher.get(people).content.decode()
    assert Membership.objects.live().filter(lab_class=lab_class).count() == 1
