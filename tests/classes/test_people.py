"""The people of a class: its list, who goes, and the table of both."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from classes.enrolment import joining, membership
from classes.models import LabClass, Membership
from tests.classes.conftest import invite, logged_in
from tests.labs import Lab, queries, run_preparations
from vms.models import Assignment

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


def url(made: LabClass, end: str = "") -> str:
    return f"/classes/{made.pk}/people/{end}"


def reasons(page: Any) -> list[str]:
    return [row.reason.value for row in page.context["plan"].rows]


def test_the_preview_says_what_becomes_of_each_line(client: Client, networks: LabClass, ana: User, ben: User):
    User.objects.create_user("off", is_active=False)
    membership.add_people(networks, [ben], at_once=True)
    page = client.post(url(networks, "add/"), {"text": "username\nANA\nben\nnobody\noff\ntess\nana", "at_once": "on"})
    assert reasons(page) == ["new", "member", "no-account", "disabled", "teacher", "duplicate"]
    client.post(url(networks, "add/"), {"shown": page.context["shown"]})
    assert set(Membership.objects.joined().values_list("user__username", flat=True)) == {"ana", "ben"}


@pytest.mark.parametrize("text", ["ana, ben", "ana;ben", "ana ben", "last name,username\nPérez,ana\nGil,ben"])
def test_everybody_in_a_line_or_in_a_column_is_added(
    client: Client, networks: LabClass, ana: User, ben: User, text: str
):
    page = client.post(url(networks, "add/"), {"text": text})
    assert reasons(page) == ["new", "new"]
    client.post(url(networks, "add/"), {"shown": page.context["shown"]})
    assert set(Membership.objects.live().values_list("user__username", flat=True)) == {"ana", "ben"}


def test_somebody_who_stands_twice_in_a_line_is_added_once(client: Client, networks: LabClass, ana: User):
    assert reasons(client.post(url(networks, "add/"), {"text": "ana, ANA"})) == ["new", "duplicate"]


def test_the_preview_says_who_gets_which_machine(client: Client, networks: LabClass, building_a: Lab):
    """Two machines are free, and nobody waits."""
    for name in ("una", "ugo", "uli"):
        User.objects.create_user(name)
    page = client.post(url(networks, "add/"), {"text": "una, ugo, uli", "at_once": "on"})
    assert [row.machine for row in page.context["plan"].rows] == ["net-01", "net-02", ""]
    assert "2 of them get a machine, and the others wait for one." in page.content.decode()
    client.post(url(networks, "add/"), {"shown": page.context["shown"]})
    got = Assignment.objects.live().values_list("user__username", "vm__name")
    assert sorted(got) == [("ugo", "net-02"), ("una", "net-01")]
    User.objects.create_user("tomas")
    page = client.post(url(networks, "add/"), {"text": "tomas", "at_once": "on"})
    assert "no machine is available for them" in page.content.decode()


def test_people_may_be_put_on_the_list_alone(client: Client, networks: LabClass, ana: User):
    page = client.post(url(networks, "add/"), {"text": "ana"})
    client.post(url(networks, "add/"), {"shown": page.context["shown"]})
    assert Membership.objects.get().joined_at is None
    assert logged_in(ana).get(f"/classes/{networks.pk}/").status_code == 404
    assert not Assignment.objects.exists()


def test_who_is_on_the_list_joins_if_that_is_wanted(client: Client, networks: LabClass, ana: User):
    membership.add_people(networks, [ana], at_once=False)
    shown = [client.post(url(networks, "add/"), {"text": "ana", **more}) for more in ({}, {"at_once": "on"})]
    assert [reasons(page) for page in shown] == [["listed"], ["joins"]]
    assert not shown[0].context["shown"]
    client.post(url(networks, "add/"), {"shown": shown[1].context["shown"]})
    assert Membership.objects.joined().get().user == ana


def test_a_stale_preview_writes_nothing(client: Client, networks: LabClass, ana: User, ben: User):
    page = client.post(url(networks, "add/"), {"text": "ana\nben", "at_once": "on"})
    membership.add_people(networks, [ben], at_once=True)
    again = client.post(url(networks, "add/"), {"shown": page.context["shown"]})
    assert reasons(again) == ["new", "member"]
    assert not Membership.objects.filter(user=ana).exists()


@pytest.mark.parametrize(("choice", "outcome"), [("keep", (1, 0)), ("as-it-is", (0, 0)), ("shut-down", (0, 1))])
def test_who_goes_keeps_or_loses_the_machine(
    client: Client, networks: LabClass, building_a: Lab, choice: str, outcome: tuple[int, int]
):
    ana = User.objects.create_user("ana")
    building_a.assign(101, User.objects.create_user("eve"))
    assert joining.join(invite(networks)[0], ana).machine == building_a.machine(102)  # it runs
    client.post(url(networks, f"{Membership.objects.get().pk}/remove/"), {"way": choice})
    run_preparations(building_a)
    assert (Assignment.objects.live().filter(user=ana).count(), building_a.commands("/status/shutdown$")) == outcome
    assert not Membership.objects.live().exists()


def test_leaving_needs_a_choice(client: Client, networks: LabClass, ana: User):
    joining.join(invite(networks)[0], ana)
    assert client.post(url(networks, f"{Membership.objects.get().pk}/remove/")).status_code == 400
    assert Membership.objects.live().exists()


def test_who_left_may_come_back(networks: LabClass, tess: User, ana: User):
    row = invite(networks)[0]
    joining.join(row, ana)
    membership.remove(Membership.objects.get(), way="as-it-is", by=tess)
    assert joining.join(row, ana).is_new
    assert Membership.objects.count() == 2


def test_who_lost_a_machine_waits_again_when_a_teacher_says_so(client: Client, networks: LabClass, ana: User):
    joining.join(invite(networks)[0], ana)
    held = Assignment.objects.get()
    client.post(f"/classes/{networks.pk}/machines/{held.vm_id}/unassign/", {"way": "as-it-is"})
    assert not Assignment.objects.live().exists()
    client.post(url(networks, f"{Membership.objects.get().pk}/wait/"))
    assert Assignment.objects.live().get().user == ana


def test_the_table_has_no_formulas(client: Client, networks: LabClass, ana: User):
    User.objects.filter(pk=ana.pk).update(first_name="=HYPERLINK(1)")
    joining.join(invite(networks)[0], ana)
    answer = client.get(url(networks, "export/"))
    text = answer.content.decode("utf-8-sig")
    assert "ana,'=HYPERLINK(1)," in text
    assert "net-01,building-a,101" in text
    assert "networks-101-people.csv" in answer["Content-Disposition"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{ 7|add:7 }}"])
def test_names_are_text(client: Client, networks: LabClass, ana: User, name: str):
    User.objects.filter(pk=ana.pk).update(first_name=name)
    joining.join(invite(networks)[0], ana)
    page = client.get(url(networks)).content.decode()
    assert "<script>alert" not in page
    assert "alert(1)" in page or "{{ 7|add:7 }}" in page


def test_the_page_costs_the_same_for_many(client: Client, networks: LabClass, ana: User):
    joining.join(invite(networks)[0], ana)
    client.get(url(networks))
    with queries() as few:
        client.get(url(networks))
    membership.add_people(networks, [User.objects.create_user(f"s{n}") for n in range(5)], at_once=True)
    with queries() as many:
        client.get(url(networks))
    assert len(many) == len(few)
