"""Who is given control over others' machines: co-owners, owners and stewards, and who is refused."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from accounts.models import User
from classes import co_owners
from classes.enrolment import joining, membership
from classes.models import LabClass
from tests.classes.conftest import invite, lab_class, logged_in, teacher
from tests.labs import Lab, queries
from vms.models import MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db


def url(made: LabClass, end: str = "") -> str:
    return f"/classes/{made.pk}/co-owners/{end}"


def ask(by: User, made: LabClass, name: str) -> Any:
    return logged_in(by).post(url(made), {"username": name})


def confirm(by: User, made: LabClass, shown: str, **more: str) -> str:
    """What it says afterwards."""
    answer = logged_in(by).post(url(made), {"shown": shown, **more}, follow=True)
    return str(answer.content.decode())


def leaders(made: LabClass) -> set[str]:
    return set(made.machine_set.stewards.values_list("username", flat=True))


@pytest.fixture
def in_class(networks: LabClass, ana: User) -> User:
    joining.join(invite(networks)[0], ana)
    return ana


# Co-owners


def test_a_page_says_who_it_is_before_anything_is_stored(networks: LabClass, tess: User, theo: User) -> None:
    User.objects.filter(pk=theo.pk).update(first_name="Theo", last_name="Torres")
    answer = ask(tess, networks, "theo")
    shown = answer.content.decode()
    assert all(words in shown for words in ("Theo Torres", "theo", "Teacher"))
    assert leaders(networks) == {"tess"}
    assert "is now a co-owner" in confirm(tess, networks, answer.context["shown"])
    assert leaders(networks) == {"tess", "theo"}


def test_a_student_is_refused_by_name(networks: LabClass, tess: User, in_class: User, ben: User) -> None:
    for name in ("ana", "ben"):
        answer = ask(tess, networks, name)
        assert (answer.status_code, "is not allowed to create classes" in answer.content.decode()) == (400, True)
    assert leaders(networks) == {"tess"}


def test_an_administrator_gives_it_to_no_student_either(networks: LabClass, lab_admin: User, in_class: User) -> None:
    assert ask(lab_admin, networks, "ana").status_code == 400


def test_a_confirmation_is_for_who_was_shown_and_for_who_saw_it(
    networks: LabClass, tess: User, theo: User, building_a: Lab
) -> None:
    cora, other = teacher("cora"), lab_class(theo, building_a, 104, name="Other")
    shown = ask(tess, networks, "cora").context["shown"]
    for by, made, seal in ((theo, other, shown), (tess, networks, shown + "x"), (tess, networks, f"{cora.pk}")):
        assert "out of date" in confirm(by, made, seal)
    assert (leaders(networks), leaders(other)) == ({"tess"}, {"theo"})


def test_who_lost_the_right_meanwhile_is_refused(networks: LabClass, tess: User, theo: User) -> None:
    shown = ask(tess, networks, "theo").context["shown"]
    theo.groups.clear()
    assert "is not allowed to create classes" in confirm(tess, networks, shown)
    assert leaders(networks) == {"tess"}


def test_who_became_a_student_meanwhile_is_refused(networks: LabClass, tess: User, theo: User) -> None:
    shown = ask(tess, networks, "theo").context["shown"]
    membership.add_people(networks, [theo], at_once=False)
    assert "student of this class" in confirm(tess, networks, shown, sure="yes")
    assert leaders(networks) == {"tess"}


def test_a_student_who_may_teach_takes_an_administrator_and_a_tick(
    networks: LabClass, tess: User, theo: User, lab_admin: User
) -> None:
    membership.add_people(networks, [theo], at_once=True)
    assert "student of this class" in ask(tess, networks, "theo").content.decode()
    shown = ask(lab_admin, networks, "theo").context["shown"]
    assert "Nothing was changed" in confirm(lab_admin, networks, shown)
    assert leaders(networks) == {"tess"}
    confirm(lab_admin, networks, shown, sure="yes")
    assert leaders(networks) == {"tess", "theo"}


# Make owner


def force(made: LabClass, person: User) -> None:
    """As it was possible before."""
    made.co_owners.add(person)
    co_owners.sync_managers(made)


def test_who_got_in_before_is_not_made_owner(networks: LabClass, tess: User, ana: User, theo: User) -> None:
    force(networks, ana)
    co_owners.add(networks, theo, by=tess)
    client = logged_in(tess)
    for method in (client.get, client.post):
        answer: Any = method(url(networks, f"{ana.pk}/transfer/"), follow=True)
        assert "is not allowed to create classes" in answer.content.decode()
    assert "Teacher" in client.get(url(networks, f"{theo.pk}/transfer/")).content.decode()
    client.post(url(networks, f"{theo.pk}/transfer/"))
    networks.refresh_from_db()
    assert networks.owner == theo


def test_who_may_not_teach_is_refused_below_the_pages_too(networks: LabClass, tess: User, ana: User) -> None:
    force(networks, ana)
    with pytest.raises(co_owners.NotAllowed):
        co_owners.transfer(networks, ana, by=tess)
    with pytest.raises(co_owners.NotAllowed):
        co_owners.add(networks, User.objects.create_user("bob"), by=tess)


# The admin's forms


INLINES = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, "freed_machines": "revert"}


def save(by: User, model: str, row: Any, **fields: Any) -> Any:
    return logged_in(by).post(f"/admin/{model}/{row.pk}/change/", fields | INLINES)


@pytest.mark.parametrize("field", ["owner", "co_owners"])
def test_the_admin_names_who_is_new_and_stores_it_with_a_tick(
    networks: LabClass, lab_admin: User, tess: User, theo: User, field: str
) -> None:
    User.objects.filter(pk=theo.pk).update(first_name="Theo", last_name="Torres")
    membership.add_people(networks, [theo], at_once=True)
    fields = {"name": "Networks", "owner": tess.pk, field: theo.pk}
    answer = save(lab_admin, "classes/labclass", networks, **fields)
    assert "Theo Torres · theo · Teacher · a student of this class" in answer.content.decode()
    assert leaders(networks) == {"tess"}
    assert save(lab_admin, "classes/labclass", networks, **fields, confirmed=theo.pk).status_code == 302
    assert "theo" in leaders(networks)


def test_the_admin_gives_control_to_nobody_who_may_not_teach(
    networks: LabClass, lab_admin: User, tess: User, ana: User, building_a: Lab
) -> None:
    fields = {"name": "Networks", "owner": tess.pk, "co_owners": ana.pk, "confirmed": ana.pk}
    assert (
        "is not allowed to create classes" in save(lab_admin, "classes/labclass", networks, **fields).content.decode()
    )
    made = MachineSet.objects.create(name="Monday")
    group = {"name": "Monday", "stewards": ana.pk, "confirmed": ana.pk}
    assert "is not allowed to create classes" in save(lab_admin, "vms/machineset", made, **group).content.decode()
    assert (leaders(networks), made.stewards.count()) == ({"tess"}, 0)
    ana.groups.add(Group.objects.get(name="Teacher"))
    assert save(lab_admin, "vms/machineset", made, **group).status_code == 302
    assert made.stewards.get() == ana


def test_who_is_there_already_needs_no_tick(networks: LabClass, lab_admin: User, tess: User, ana: User) -> None:
    force(networks, ana)
    fields = {"name": "Renamed", "owner": tess.pk, "co_owners": ana.pk}
    assert save(lab_admin, "classes/labclass", networks, **fields).status_code == 302
    assert leaders(networks) == {"tess", "ana"}


# What exists already


def test_administrators_and_the_doctor_name_who_would_not_be_chosen_today(
    networks: LabClass, ana: User, ben: User, lab_admin: User, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Check who controls" not in logged_in(lab_admin).get("/classes/").content.decode()
    force(networks, ana)
    MachineSet.objects.create(name="Monday").stewards.add(ben, networks.owner)
    page = logged_in(lab_admin).get("/classes/").content.decode()
    assert f'href="{url(networks)}"' in page
    assert "Monday" in page
    assert "Check who controls" not in logged_in(networks.owner).get("/classes/").content.decode()
    call_command("doctor")
    told = [line for line in capsys.readouterr().out.splitlines() if " rights " in line]
    assert [line.split()[:3] for line in told] == [["WARN", "rights", "ana"], ["WARN", "rights", "ben"]]


def test_control_is_what_is_refused(networks: LabClass, ana: User) -> None:
    """The reason for all of it: a co-owner operates every machine of the class."""
    assert not VirtualMachine.objects.operable_by(ana).exists()
    force(networks, ana)
    assert VirtualMachine.objects.operable_by(ana).count() == 2


def test_to_list_them_takes_one_query(networks: LabClass, lab_admin: User, ana: User) -> None:
    client = logged_in(lab_admin)
    with queries() as few:
        client.get("/classes/")
    for number in range(5):
        force(networks, User.objects.create_user(f"s{number}"))
    with queries() as many:
        client.get("/classes/")
    assert len(many) == len(few)
