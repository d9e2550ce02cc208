"""The machines of a class: taking, giving by hand, by themselves and by a table, and giving back."""

import pytest
from django.test import Client

from accounts.models import User
from classes.enrolment import class_machines, joining, membership
from classes.models import ClassMachine, LabClass, Membership
from tests.classes.conftest import invite, logged_in
from tests.labs import Lab, ago, queries
from vms.models import Assignment, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(tess: User) -> Client:
    return logged_in(tess)


def url(made: LabClass, end: str = "") -> str:
    return f"/classes/{made.pk}/machines/{end}"


def assignees() -> dict[str, str]:
    return dict(Assignment.objects.live().values_list("user__username", "vm__name"))


def test_the_page_offers_free_machines_of_the_granted_places(client: Client, networks: LabClass, building_b: Lab):
    offered = client.get(url(networks)).context["available"]
    assert [machine.name for machine in offered] == ["net-03", "net-04"]
    assert [machine.name for machine in client.get(url(networks, "?q=04")).context["available"]] == ["net-04"]


def test_taking_machines_brings_them_to_who_waits(client: Client, networks: LabClass, building_a: Lab):
    people = [User.objects.create_user(name) for name in ("ann", "bob", "cyd")]
    membership.add_people(networks, people, at_once=True)
    assert assignees() == {"ann": "net-01", "bob": "net-02"}
    client.post(url(networks, "adopt/"), {"vm": [building_a.machine(104).pk]})
    assert assignees()["cyd"] == "net-04"


@pytest.mark.parametrize("ticked", [["x"], ["-1"], ["9" * 30], ["\u0661"]])
def test_what_is_no_machine_is_passed_over(client: Client, networks: LabClass, ticked: list[str]):
    assert client.post(url(networks, "adopt/"), {"vm": ticked}).status_code == 302
    assert networks.class_machines.count() == 2


def test_one_machine_by_hand(client: Client, networks: LabClass, building_a: Lab, ana: User):
    ClassMachine.objects.update(is_kept_back=True)
    membership.add_people(networks, [ana], at_once=True)
    assert assignees() == {}
    client.post(url(networks, "assign/"), {"vm": building_a.machine(102).pk, "person": ana.pk})
    assert assignees() == {"ana": "net-02"}
    assert not Membership.objects.waiting().exists()


def test_by_hand_only_to_people_of_the_class(client: Client, networks: LabClass, building_a: Lab, ben: User):
    answer = client.post(url(networks, "assign/"), {"vm": building_a.machine(101).pk, "person": ben.pk})
    assert answer.status_code == 400
    assert assignees() == {}


def without_queue(networks: LabClass, *names: str) -> None:
    """People who are in the class and neither have a machine nor wait."""
    people = [User.objects.create_user(name) for name in names]
    ClassMachine.objects.update(is_kept_back=True)
    membership.add_people(networks, people, at_once=True)
    Membership.objects.update(waiting_since=None)
    ClassMachine.objects.update(is_kept_back=False)


def test_everybody_gets_what_the_preview_showed(client: Client, networks: LabClass):
    without_queue(networks, "ann", "bob", "cyd")
    page = client.get(url(networks, "share/"))
    assert [row.reason.value for row in page.context["plan"].rows] == ["assign", "assign", "none-left"]
    client.post(url(networks, "share/"), {"shown": page.context["shown"]})
    assert assignees() == {"ann": "net-01", "bob": "net-02"}


def test_what_changed_after_the_preview_is_not_done(client: Client, networks: LabClass, building_a: Lab, ben: User):
    without_queue(networks, "ann", "bob")
    shown = client.get(url(networks, "share/")).context["shown"]
    building_a.assign(101, ben)
    client.post(url(networks, "share/"), {"shown": shown})
    assert assignees() == {"ben": "net-01"}


def test_a_table_gives_what_its_preview_showed(client: Client, networks: LabClass):
    without_queue(networks, "ann", "bob")
    page = client.post(url(networks, "table/"), {"text": "ann,net-02\nbob,building-a,101"})
    assert assignees() == {}
    client.post(url(networks, "table/"), {"shown": page.context["shown"]})
    assert assignees() == {"ann": "net-02", "bob": "net-01"}


def test_a_table_does_not_tell_who_outside_the_class_has_an_account(client: Client, networks: LabClass, ben: User):
    page = client.post(url(networks, "table/"), {"text": "ben,net-01\nnobody,net-02"})
    assert page.context["plan"].in_words == "2 are not in the class"


def test_a_table_that_cannot_be_read_says_the_line(client: Client, networks: LabClass):
    answer = client.post(url(networks, "table/"), {"text": 'ann,"net-02'})
    assert answer.status_code == 400
    assert "Line 1 can&#x27;t be read" in answer.content.decode()


def test_a_machine_that_is_taken_out_is_nobodys(client: Client, networks: LabClass, building_a: Lab, ana: User):
    joining.join(invite(networks)[0], ana)
    machine = building_a.machine(101)
    assert "ana loses access to this machine" in client.get(url(networks, f"{machine.pk}/drop/")).content.decode()
    client.post(url(networks, f"{machine.pk}/drop/"), {"way": "as-it-is"})
    assert assignees() == {}
    assert not VirtualMachine.objects.operable_by(networks.owner).filter(pk=machine.pk).exists()


def test_a_machine_whose_grant_is_gone_goes_to_nobody(networks: LabClass, ana: User):
    networks.machine_set.cluster_grants.all().delete()
    assert joining.join(invite(networks)[0], ana).machine is None
    assert not class_machines.available(networks).exists()


def test_the_page_costs_the_same_for_many(client: Client, networks: LabClass, building_a: Lab, tess: User):
    membership.add_people(networks, [User.objects.create_user("first")], at_once=True)
    client.get(url(networks))
    with queries() as few:
        client.get(url(networks))
    class_machines.add(networks, [building_a.machine(103).pk, building_a.machine(104).pk], by=tess)
    membership.add_people(networks, [User.objects.create_user(f"s{n}") for n in range(5)], at_once=True)
    with queries() as many:
        client.get(url(networks))
    assert len(many) <= len(few)


def test_those_who_wait_come_first_and_the_longest_waiting_before_them_all(client: Client, networks: LabClass):
    without_queue(networks, "ann", "bob", "cyd")
    for name, minutes in (("cyd", 5), ("bob", 1)):
        Membership.objects.filter(user__username=name).update(waiting_since=ago(minutes=minutes))
    page = client.get(url(networks, "share/"))
    assert [row.person for row in page.context["plan"].written] == ["cyd", "bob"]
    client.post(url(networks, "share/"), {"shown": page.context["shown"]})
    assert assignees() == {"cyd": "net-01", "bob": "net-02"}
