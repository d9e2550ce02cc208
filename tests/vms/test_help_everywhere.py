"""Help requests stands on every page of who looks after the machine, and costs nobody a query."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.labs import Lab, queries
from vms.models import Assignment, HelpRequest, MachineSet

pytestmark = pytest.mark.django_db

PAGES = ["/vms/", "/classes/", "/sets/", "/accounts/profile/", "/join/", "/sets/help/"]


@pytest.fixture
def monday(building_a: Lab, ben: User) -> MachineSet:
    """101 to 104, which ben looks after."""
    made = MachineSet.objects.create(name="Monday")
    made.machines.set([building_a.machine(vmid) for vmid in (101, 102, 103, 104)])
    made.stewards.add(ben)
    return made


def logged_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def ask(lab: Lab, vmid: int, person: User, text: str = "") -> HelpRequest:
    lab.assign(vmid, person)
    HelpRequest.ask(Assignment.objects.get(vm__vmid=vmid, user=person), text=text)
    return HelpRequest.objects.latest("pk")


def number(client: Client, path: str) -> str:
    """What the badge of a page says; empty where there is none."""
    text = client.get(path).content.decode()
    _before, found, after = text.partition('id="help-asked"')
    if not found or " hidden" in after.partition(">")[0]:
        return ""
    return after.partition('role="status">')[2].partition("<")[0]


@pytest.mark.parametrize("path", PAGES)
def test_the_number_is_on_every_page_of_who_looks_after_it(
    monday: MachineSet, building_a: Lab, ana: User, ben: User, path: str
) -> None:
    manager = logged_in(ben)
    assert number(manager, path) == ""
    ask(building_a, 101, ana)
    assert number(manager, path) == "1"
    ask(building_a, 102, User.objects.create_user("chen"))
    assert number(manager, path) == "2"
    HelpRequest.objects.filter(assignment__user=ana).close(by=ben)
    assert number(manager, path) == "1"
    assert number(logged_in(ana), path) == ""


def test_somebody_elses_and_ones_own_do_not_count(monday: MachineSet, building_a: Lab, ana: User, ben: User) -> None:
    ask(building_a, 101, ben)
    assert number(logged_in(ben), "/vms/") == ""
    other = User.objects.create_user("other")
    MachineSet.objects.create(name="Other").stewards.add(other)
    ask(building_a, 102, ana)
    assert number(logged_in(other), "/vms/") == ""
    assert number(logged_in(ben), "/vms/") == "1"


def test_a_request_counts_once_whatever_sets_the_machine_is_in(
    monday: MachineSet, building_a: Lab, ana: User, ben: User
) -> None:
    second = MachineSet.objects.create(name="Second")
    second.machines.add(building_a.machine(101))
    second.stewards.add(ben)
    ask(building_a, 101, ana)
    assert number(logged_in(ben), "/vms/") == "1"
    assert len(logged_in(ben).get("/sets/help/").context["rows"]) == 1


def cost(client: Client, path: str) -> list[str]:
    client.get(path)
    with queries() as seen:
        client.get(path)
    return [one["sql"] for one in seen]


def test_it_is_in_the_query_that_asks_for_classes(monday: MachineSet, building_a: Lab, ana: User, ben: User) -> None:
    """Two queries for a page without anything: who it is, and what the top of it shows. For everybody."""
    ask(building_a, 101, ana)
    for person in (ana, ben):
        asked = cost(logged_in(person), "/accounts/profile/")
        assert sum("vms_helprequest" in sql for sql in asked) == 1
        assert sum("classes_membership" in sql for sql in asked) == 1


def test_the_page_says_who_and_where_and_done_ends_it(
    monday: MachineSet, building_a: Lab, ana: User, ben: User
) -> None:
    asked, manager = ask(building_a, 101, ana, "No <b>network"), logged_in(ben)
    text = manager.get("/sets/help/").content.decode()
    assert all(words in text for words in ("ana", "net-01", "Monday", "No &lt;b&gt;network", f"/sets/{monday.pk}/"))
    assert "No help requests." in logged_in(ana).get("/sets/help/").content.decode()
    manager.post(f"/sets/{monday.pk}/help/{asked.pk}/done/")
    assert "No help requests." in manager.get("/sets/help/").content.decode()


def test_an_open_page_hears_of_it(monday: MachineSet, building_a: Lab, ana: User, ben: User) -> None:
    manager: Any = logged_in(ben)
    assert manager.get("/sets/help/badge/?seen=0").status_code == 204
    ask(building_a, 101, ana)
    assert "seen=1" in manager.get("/sets/help/badge/?seen=0").content.decode()
    assert "0" in logged_in(ana).get("/sets/help/badge/").content.decode()
    assert Client().get("/sets/help/badge/?seen=0").status_code == 286


def test_the_list_of_many_costs_no_more(monday: MachineSet, building_a: Lab, ana: User, ben: User) -> None:
    ask(building_a, 101, ana)
    few = len(cost(logged_in(ben), "/sets/help/"))
    for vmid in (102, 103, 104):
        ask(building_a, vmid, User.objects.create_user(f"s{vmid}"))
    assert len(cost(logged_in(ben), "/sets/help/")) == few
