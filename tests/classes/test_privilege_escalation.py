"""Ways to rise, or into somebody else's account, each beside the same that is allowed: bin/test -n0 -s THIS FILE."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from classes import co_owners
from classes.enrolment import membership
from classes.forms import LabClassForm
from classes.models import LabClass, Membership
from tests.classes.conftest import lab_class, logged_in, teacher
from tests.labs import Lab
from vms.models import MachineSet

pytestmark = pytest.mark.django_db

INLINES = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, "freed_machines": "revert"}


class School(NamedTuple):
    """tess's class with the student ana; theo is another teacher, with another student and class."""

    ours: LabClass
    theirs: LabClass
    lena: User

    def person(self, name: str) -> User:
        return User.objects.get(username=name)

    def browser(self, name: str, **how: Any) -> Client:
        client = Client(**how)
        client.force_login(self.person(name))
        return client

    def runs(self, name: str) -> bool:
        return self.ours.machine_set.stewards.filter(username=name).exists()


@pytest.fixture
def school(networks: LabClass, building_a: Lab, theo: User, ana: User, lab_admin: User) -> School:
    theirs = lab_class(theo, building_a, 104, name="Databases")
    membership.add_people(networks, [ana], at_once=True)
    membership.add_people(theirs, [User.objects.create_user("otto-student")], at_once=True)
    co_owners.add(networks, teacher("cora"), by=networks.owner)
    return School(networks, theirs, lab_admin)


# Control over others' machines


def co_owner(school: School, name: str, by: str = "tess") -> bool:
    client, where = school.browser(by), f"/classes/{school.ours.pk}/co-owners/"
    answer: Any = client.post(where, {"username": name})
    shown = (answer.context or {}).get("shown", "made up") if answer.status_code == 200 else "made up"
    client.post(where, {"shown": shown, "sure": "yes"})
    return school.runs(name)


def co_owner_without_confirming(school: School, name: str) -> bool:
    school.browser("tess").post(f"/classes/{school.ours.pk}/co-owners/", {"username": name, "sure": "yes"})
    return school.runs(name)


def owner(school: School, name: str) -> bool:
    """Of somebody who is co-owner since an older version."""
    person = school.person(name)
    school.ours.co_owners.add(person)
    co_owners.sync_managers(school.ours)
    school.browser("tess").post(f"/classes/{school.ours.pk}/co-owners/{person.pk}/transfer/", {"sure": "yes"})
    return bool(LabClass.objects.get(pk=school.ours.pk).owner == person)


def co_owner_in_the_admin(school: School, name: str, *, tick: bool = True) -> bool:
    pk = school.person(name).pk
    fields = {"name": "N", "owner": school.ours.owner_id, "co_owners": [pk], "confirmed": [pk] if tick else []}
    school.browser("lena").post(f"/admin/classes/labclass/{school.ours.pk}/change/", fields | INLINES)
    return school.runs(name)


def manager_in_the_admin(school: School, name: str) -> bool:
    made, pk = MachineSet.objects.create(name="Monday"), school.person(name).pk
    fields = {"name": "Monday", "stewards": [pk], "confirmed": [pk]}
    school.browser("lena").post(f"/admin/vms/machineset/{made.pk}/change/", fields)
    return made.stewards.exists()


# Somebody else's account


def member(school: School, name: str) -> Membership:
    """In tess's class, with that person on the roster if need be."""
    person = school.person(name)
    membership.add_people(school.ours, [person], at_once=False)
    return Membership.objects.live().get(lab_class=school.ours, user=person)


def password(school: School, name: str, by: str = "tess", **how: Any) -> bool:
    where = f"/classes/{school.ours.pk}/people/{member(school, name).pk}/account/password/"
    client, before = school.browser(by, **how), school.person(name).password
    asked: Any = client.get(where)
    client.post(where, {"shown": asked.context["shown"] if asked.status_code == 200 else ""})
    return school.person(name).password != before


def password_with_the_confirmation_for(school: School, shown_for: str, name: str = "ana") -> bool:
    membership.add_people(school.ours, [User.objects.get_or_create(username="ben")[0]], at_once=True)
    client, where = school.browser("tess"), f"/classes/{school.ours.pk}/people/%d/account/password/"
    shown = client.get(where % member(school, shown_for).pk).context["shown"]
    before = school.person(name).password
    client.post(where % member(school, name).pk, {"shown": shown})
    return school.person(name).password != before


def password_in_the_admin(school: School, name: str, by: str = "lena") -> bool:
    client, before = school.browser(by), school.person(name).password
    where = f"/admin/accounts/user/{school.person(name).pk}/new-password/"
    found = re.search(r'name="shown" value="([^"]+)"', client.get(where).content.decode())
    client.post(where, {"shown": found[1] if found else ""})
    return school.person(name).password != before


def superuser(school: School) -> str:
    return str(User.objects.create_superuser("root").username)


def pages_with_a_given_password(school: School, *, given: bool) -> bool:
    User.objects.filter(username="ana").update(must_change_password=given)
    client = school.browser("ana")
    return {client.get(path).status_code for path in ("/vms/", "/api/clusters", "/join/")} == {200}


Try = Callable[[School], bool]

# What is tried, and the same that is allowed.
ATTACKS: dict[str, tuple[Try, Try]] = {
    "a teacher makes a student co-owner": (lambda s: co_owner(s, "ana"), lambda s: co_owner(s, "theo")),
    "an administrator does": (lambda s: co_owner(s, "ana", by="lena"), lambda s: co_owner(s, "theo", by="lena")),
    "a co-owner chooses another one": (lambda s: co_owner(s, "theo", by="cora"), lambda s: co_owner(s, "theo")),
    "a student chooses": (lambda s: co_owner(s, "theo", by="ana"), lambda s: co_owner(s, "theo")),
    "without the page that names who it is": (
        lambda s: co_owner_without_confirming(s, "theo"), lambda s: co_owner(s, "theo")),
    "a student who is co-owner from before is made owner": (lambda s: owner(s, "ana"), lambda s: owner(s, "theo")),
    "a student as co-owner in the admin": (
        lambda s: co_owner_in_the_admin(s, "ana"), lambda s: co_owner_in_the_admin(s, "theo")),
    "in the admin without the tick": (
        lambda s: co_owner_in_the_admin(s, "theo", tick=False), lambda s: co_owner_in_the_admin(s, "theo")),
    "a student as manager of a set": (
        lambda s: manager_in_the_admin(s, "ana"), lambda s: manager_in_the_admin(s, "theo")),
    "a teacher resets a colleague's password": (lambda s: password(s, "theo"), lambda s: password(s, "ana")),
    "a teacher resets an administrator's": (lambda s: password(s, "lena"), lambda s: password(s, "ana")),
    "a teacher resets a superuser's": (lambda s: password(s, superuser(s)), lambda s: password(s, "ana")),
    "a teacher resets another teacher's student's": (
        lambda s: password(s, "otto-student"), lambda s: password(s, "ana")),
    "another teacher resets a student of this class": (
        lambda s: password(s, "ana", by="theo"), lambda s: password(s, "ana", by="cora")),
    "a student resets a fellow's": (lambda s: password(s, "ana", by="otto-student"), lambda s: password(s, "ana")),
    "without a CSRF token": (
        lambda s: password(s, "ana", enforce_csrf_checks=True), lambda s: password(s, "ana")),
    "with the confirmation for somebody else": (
        lambda s: password_with_the_confirmation_for(s, "ben"), lambda s: password_with_the_confirmation_for(s, "ana")),
    "a teacher by the admin's page": (
        lambda s: password_in_the_admin(s, "ana", by="tess"), lambda s: password_in_the_admin(s, "ana")),
    "a lab administrator resets a superuser's": (
        lambda s: password_in_the_admin(s, superuser(s)), lambda s: password_in_the_admin(s, "ana")),
    "pages and API with a password that somebody else gave": (
        lambda s: pages_with_a_given_password(s, given=True), lambda s: pages_with_a_given_password(s, given=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused(school: School, name: str) -> None:
    assert not ATTACKS[name][0](school)
    print(f"\n  refused   {name}", end="")


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_is_possible_for_who_may(school: School, name: str) -> None:
    assert ATTACKS[name][1](school)
    print(f"\n  possible  beside “{name}”", end="")


def test_settings_that_are_saved_undo_nothing_that_was_decided_meanwhile(
    networks: LabClass, tess: User, theo: User, monkeypatch: pytest.MonkeyPatch
):
    """tess, who begins to save as its owner, is none any more when that is written."""
    sent = {"name": "Renamed", "freed_machines": "revert"}
    checked, ended_at = LabClassForm.is_valid, timezone.now()

    def is_valid(form: LabClassForm) -> bool:
        found = checked(form)
        LabClass.objects.update(owner=theo, ended_at=ended_at, is_being_deleted=True)
        return found

    monkeypatch.setattr(LabClassForm, "is_valid", is_valid)
    logged_in(tess).post(f"/classes/{networks.pk}/settings/", sent)
    networks.refresh_from_db()
    assert networks.name == "Renamed"
    assert (networks.owner, networks.ended_at, networks.is_being_deleted) == (theo, ended_at, True)
