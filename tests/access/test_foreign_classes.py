"""What belongs to another class is not there: in its own pages, and smuggled into those of one's own class."""

from collections.abc import Iterator
from typing import Any

import pytest

from classes import access
from classes.models import ClassMachine, LabClass
from tests.access import expected, routes, two_classes
from tests.access.matrix import REFUSED
from tests.access.school import World, rolled_back
from vms.models import Assignment, Batch, VirtualMachine

pytestmark = pytest.mark.django_db

CLUSTERS = 2
OF_CLASSES = [route for route in routes.routes() if route.startswith(("sets/<", "batches/<", "runs/<", "classes/<"))]
INSIDE = [route for route in OF_CLASSES if route.count("<") > 1]
PEOPLE = ("assignee", "manager", "co_owner")


def foreign(world: World) -> dict[str, Any]:
    return routes.of_class(two_classes.rows(world.foreign_class))


def methods(route: str) -> Iterator[tuple[str, Any]]:
    """The routes that the manager may use for their own class."""
    row = expected.rows()[route]
    for method, codes in (("GET", row.get), ("POST", row.post)):
        if codes["manager"] not in REFUSED:
            yield method, expected.BODIES.get(route) if method == "POST" else None


def answers(world: World, route: str, values: dict[str, Any], who: tuple[str, ...]) -> list[tuple[str, str, int]]:
    url = f"/{routes.fill(route, values)}"
    found = []
    for method, body in methods(route):
        data = {name: routes.fill(value, values) for name, value in body.items()} if body else None
        for person in who:
            with rolled_back():
                found.append((person, method, world.ask(person, method, url, data).status_code))
    return found


@pytest.mark.parametrize("route", OF_CLASSES)
def test_a_foreign_class_its_set_and_its_batch_are_not_there(world: World, route: str):
    theirs = two_classes.rows(world.foreign_class)
    pk = theirs[next(row for start, row in routes.PKS.items() if route.startswith(start))]
    said = answers(world, route, routes.values(world, route) | foreign(world) | {"pk": pk}, PEOPLE)
    assert [one for one in said if one[2] != 404] == []
    assert said


@pytest.mark.parametrize("route", INSIDE)
def test_what_a_foreign_class_has_is_not_there_in_ones_own(world: World, route: str):
    said = answers(world, route, routes.values(world, route) | foreign(world), ("manager", "lab_admin"))
    assert [one for one in said if one[2] != 404] == []
    assert said


def everything() -> list[Any]:
    """Who has what, and what was asked for."""
    asked = Batch.objects.count()
    held = set(Assignment.objects.live().values_list("vm", "user"))
    return [held, asked, set(ClassMachine.objects.values_list("vm", "lab_class"))]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("sets/<int:pk>/ask/", {"action": "start", "machine": "<vm>"}),
        ("classes/<int:pk>/machines/adopt/", {"vm": "<vm>"}),
        ("classes/<int:pk>/machines/adopt/", {"vm": "<free>"}),
        ("classes/<int:pk>/machines/assign/", {"vm": "<free>", "person": "<assignee>"}),
        ("classes/<int:pk>/machines/assign/", {"vm": "<ours>", "person": "<person_pk>"}),
        ("classes/<int:pk>/settings/places/", {"grants": "<grant>"}),
        ("classes/new/", {"name": "Mine", "grants": "<grant>"}),
    ],
)
def test_a_form_does_not_reach_into_a_foreign_class(world: World, route: str, body: dict[str, str]):
    own = routes.values(world, route)
    values = own | foreign(world) | {"ours": own["free"], "assignee": own["person_pk"]}
    data = {name: routes.fill(value, values) for name, value in body.items()}
    before, classes = everything(), LabClass.objects.count()
    places = world.lab_class.machine_set.cluster_grants.count()
    with rolled_back():
        page = world.ask("manager", "POST", f"/{routes.fill(route, values)}", data)
        assert page.status_code in {302, 400}
        assert (everything(), LabClass.objects.count()) == (before, classes)
        assert world.lab_class.machine_set.cluster_grants.count() == places


def test_the_same_number_on_another_cluster_is_another_machine(world: World):
    """103 is in both classes."""
    ours = VirtualMachine.objects.get(class_machine__lab_class=world.lab_class, vmid=103)
    theirs = VirtualMachine.objects.get(class_machine__lab_class=world.foreign_class, vmid=103)
    assert ours.cluster_id != theirs.cluster_id
    drop = f"/classes/{world.lab_class.pk}/machines/{{}}/drop/"
    with rolled_back():
        assert world.ask("manager", "POST", drop.format(theirs.pk)).status_code == 404
        assert world.ask("manager", "POST", drop.format(ours.pk)).status_code == 302
        assert list(ClassMachine.objects.filter(vm__vmid=103).values_list("vm", flat=True)) == [theirs.pk]


def test_a_lock_that_is_open_is_noticed(world: World, monkeypatch: Any):
    monkeypatch.setattr(access, "visible_to", lambda user: LabClass.objects.select_related("owner", "machine_set"))
    monkeypatch.setattr(access, "may", lambda user, lab_class, right: True)
    route = "classes/<int:pk>/people/"
    values = routes.values(world, route) | {"pk": world.foreign_class.pk}
    assert answers(world, route, values, ("manager",)) == [("manager", "GET", 200)]
