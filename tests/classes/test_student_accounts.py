"""Teachers unlock students and give them new passwords: only those who are theirs alone, and have no rights.

`bin/test -n0 -s tests/classes/test_student_accounts.py` prints who may do it to whom.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts import locked_names
from accounts.models import User
from classes import co_owners
from classes.enrolment import joining, membership
from classes.models import LabClass, Membership
from tests.classes.conftest import invite, lab_class, logged_in, teacher
from tests.conftest import PASSWORD
from tests.labs import Lab
from vms.models import MachineSet

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(networks: LabClass, ana: User) -> Membership:
    joining.join(invite(networks)[0], ana)
    return Membership.objects.get(user=ana)


def url(row: Membership, end: str = "") -> str:
    return f"/classes/{row.lab_class_id}/people/{row.pk}/account/{end}"


def lock(person: User) -> None:
    AccessAttempt.objects.create(username=person.username, ip_address="192.0.2.7", failures_since_start=5)


def try_all(by: User, row: Membership) -> tuple[str, bool, str]:
    """What the question answers, whether the account was unlocked, and the new password, if one was given."""
    client = logged_in(by)
    lock(row.user)
    client.post(url(row, "unlock/"))
    unlocked = not locked_names.for_user(row.user)
    AccessAttempt.objects.all().delete()
    asked: Any = client.get(url(row, "password/"))
    shown = asked.context["shown"] if asked.status_code == 200 else ""
    answer: Any = client.post(url(row, "password/"), {"shown": shown})
    found = re.findall(r"<code>([^<]+)</code>", answer.content.decode())
    return str(asked.status_code), unlocked, found[0] if found else ""


# Who may do it to whom


def own_student(row: Membership, lab: Lab) -> None:
    """Nothing else is known of the account."""


def also_in_another_class_of_the_same_teacher(row: Membership, lab: Lab) -> None:
    membership.add_people(lab_class(row.lab_class.owner, lab, 104, name="Second"), [row.user], at_once=True)


def also_with_another_teacher(row: Membership, lab: Lab) -> None:
    membership.add_people(
        lab_class(User.objects.get(username="theo"), lab, 104, name="Other"), [row.user], at_once=True
    )


def on_the_list_of_another_teacher(row: Membership, lab: Lab) -> None:
    membership.add_people(
        lab_class(User.objects.get(username="theo"), lab, 104, name="Other"), [row.user], at_once=False
    )


def with_a_machine_from_an_administrator(row: Membership, lab: Lab) -> None:
    lab.assign(104, row.user)


def staff(row: Membership, lab: Lab) -> None:
    User.objects.filter(pk=row.user_id).update(is_staff=True)


def superuser(row: Membership, lab: Lab) -> None:
    User.objects.filter(pk=row.user_id).update(is_superuser=True)


def in_a_group(row: Membership, lab: Lab) -> None:
    row.user.groups.add(Group.objects.create(name="Pupils"))


def a_colleague(row: Membership, lab: Lab) -> None:
    row.user.groups.add(Group.objects.get(name="Teacher"))


def with_a_permission(row: Membership, lab: Lab) -> None:
    row.user.user_permissions.add(Permission.objects.get(codename="view_cluster"))


def manager_of_a_group(row: Membership, lab: Lab) -> None:
    MachineSet.objects.create(name="Monday").stewards.add(row.user)


def deactivated(row: Membership, lab: Lab) -> None:
    User.objects.filter(pk=row.user_id).update(is_active=False)


CASES: list[tuple[Callable[[Membership, Lab], None], bool]] = [
    (own_student, True),
    (also_in_another_class_of_the_same_teacher, True),
    (also_with_another_teacher, False),
    (on_the_list_of_another_teacher, False),
    (with_a_machine_from_an_administrator, False),
    (staff, False),
    (superuser, False),
    (in_a_group, False),
    (a_colleague, False),
    (with_a_permission, False),
    (manager_of_a_group, False),
    (deactivated, False),
]


@pytest.mark.parametrize(("made", "allowed"), CASES, ids=[made.__name__ for made, _ in CASES])
def test_whom_a_teacher_may_help(
    member: Membership, building_a: Lab, theo: User, made: Callable[..., None], allowed: bool
) -> None:
    tess = member.lab_class.owner
    made(member, building_a)
    member.user.refresh_from_db()
    lock(member.user)
    assert ("192.0.2.7" in logged_in(tess).get(url(member)).content.decode()) is allowed
    AccessAttempt.objects.all().delete()
    asked, unlocked, password = try_all(tess, member)
    name = made.__name__.replace("_", " ")
    print(f"\n  tess -> {name:40} {'unlocks, gives a password' if password else 'refused'}", end="")
    assert (asked, unlocked, bool(password)) == ("200" if allowed else "302", allowed, allowed)
    member.user.refresh_from_db()
    assert member.user.check_password(password or PASSWORD)
    assert member.user.must_change_password is allowed


def test_another_teacher_and_students_find_nothing(member: Membership, theo: User, ben: User) -> None:
    for by in (theo, ben, member.user):
        assert try_all(by, member) == ("404", False, "")
    assert Client().get(url(member)).status_code == 302


def test_a_co_owner_may_as_long_as_all_classes_are_theirs(member: Membership, building_a: Lab, tess: User) -> None:
    cora = teacher("cora")
    co_owners.add(member.lab_class, cora, by=tess)
    assert try_all(cora, member)[2]
    also_in_another_class_of_the_same_teacher(member, building_a)
    assert try_all(cora, member)[2] == ""


def test_an_administrator_may_for_students_of_several(member: Membership, building_a: Lab, theo: User, lab_admin: User):
    also_with_another_teacher(member, building_a)
    assert try_all(lab_admin, member)[2]
    staff(member, building_a)
    assert try_all(lab_admin, member)[2] == ""


def test_who_left_is_not_helped(member: Membership, tess: User) -> None:
    membership.remove(member, way="as-it-is", by=tess)
    assert try_all(tess, member)[0] == "404"


# The way


def test_the_student_is_logged_out_and_has_to_choose_another(member: Membership, tess: User, ana: User) -> None:
    before = logged_in(ana)
    _asked, _unlocked, password = try_all(tess, member)
    assert before.get("/vms/")["Location"].startswith("/accounts/login/")
    again = Client()
    again.post("/accounts/login/", {"username": "ana", "password": password})
    assert again.get("/vms/")["Location"] == "/accounts/password/"


def test_a_page_that_is_sent_twice_gives_one(member: Membership, tess: User) -> None:
    client = logged_in(tess)
    shown = client.get(url(member, "password/")).context["shown"]
    assert b"<code>" in client.post(url(member, "password/"), {"shown": shown}).content
    kept = User.objects.get(pk=member.user_id).password
    assert client.post(url(member, "password/"), {"shown": shown})["Location"] == url(member)
    assert User.objects.get(pk=member.user_id).password == kept


@pytest.mark.parametrize("shown", ["", "made up"])
def test_a_post_that_confirmed_nothing_does_nothing(member: Membership, tess: User, shown: str) -> None:
    logged_in(tess).post(url(member, "password/"), {"shown": shown})
    assert User.objects.get(pk=member.user_id).check_password(PASSWORD)


def test_a_confirmation_is_for_who_saw_it_and_for_whom(member: Membership, tess: User, ben: User, networks: LabClass):
    membership.add_people(networks, [ben], at_once=True)
    other = Membership.objects.get(user=ben)
    client = logged_in(tess)
    shown = client.get(url(member, "password/")).context["shown"]
    client.post(url(other, "password/"), {"shown": shown})
    assert User.objects.get(pk=ben.pk).check_password(PASSWORD)


def test_to_look_unlocks_nobody(member: Membership, tess: User, ana: User) -> None:
    lock(ana)
    client = logged_in(tess)
    assert "locked at 192.0.2.7" in client.get(url(member)).content.decode()
    assert client.get(url(member, "unlock/")).status_code == 405
    assert locked_names.for_user(ana)


def test_the_tab_leads_there(member: Membership, tess: User) -> None:
    assert url(member) in logged_in(tess).get(f"/classes/{member.lab_class_id}/people/").content.decode()
