"""Every route, asked by everybody: `expected.py` says who gets what."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path

from clusters.models import Cluster
from labportal import urls
from tests.access import expected, matrix, routes
from tests.access.school import PEOPLE, World
from vms.access import machine_rules, rules
from vms.access.context import ActionContext
from vms.models.machine_queryset import VirtualMachineQuerySet

pytestmark = pytest.mark.django_db

CLUSTERS = 2

ALL = routes.routes()
MACHINE = "vms/<int:pk>/"


def test_every_route_has_a_row():
    assert sorted(set(ALL) - set(expected.rows())) == []


def test_every_row_has_a_route():
    assert sorted(set(expected.rows()) - set(ALL)) == []


@pytest.mark.parametrize("route", ALL)
def test_everybody_gets_what_the_table_says(world: World, route: str):
    assert matrix.complaints(world, route) == []


# Rules that requests of a page never meet, because who may not is not let in: they are asked by themselves.

REFUSED_BY = {
    "assignee": {"The person may change this snapshot"},
    "other": {"The person may use this machine", "The person may change this snapshot"},
    "manager": set(),
    "co_owner": set(),
    "staff": {"The person may use this machine", "The person may change this snapshot"},
    "auditor": {"The person may use this machine", "The person may change this snapshot"},
    "lab_admin": set(),
    "superuser": set(),
}


def refusals(world: World, who: str) -> set[str]:
    decisions = rules.explain(world.people[who], world.machine, "delete-snapshot", snapshot="lesson-1")
    return {decision.rule for decision in decisions if not decision.is_allowed}


@pytest.mark.parametrize("who", REFUSED_BY)
def test_the_rules_refuse_whom_they_should(world: World, who: str):
    assert refusals(world, who) == REFUSED_BY[who]


# The checks can fail


def everything(self: Any, user: Any) -> Any:
    return self.all()


@pytest.mark.parametrize("verb", ["visible_to", "operable_by", "managed_by"])
def test_a_filter_that_lets_everything_through_is_noticed(world: World, monkeypatch: Any, verb: str):
    monkeypatch.setattr(VirtualMachineQuerySet, verb, everything)
    assert any(matrix.complaints(world, f"{MACHINE}{page}") for page in ("", "<slug:action>/", "note/"))


@pytest.mark.parametrize("rule", [machine_rules.person_may_operate, machine_rules.snapshot_may_be_changed])
def test_a_rule_that_always_agrees_is_noticed(world: World, monkeypatch: Any, rule: rules.Rule):
    def agrees(context: ActionContext, action: str) -> None:
        return None

    agrees.__name__ = rule.__name__
    monkeypatch.setattr(rules, "RULES", [agrees if one is rule else one for one in rules.RULES])
    assert [who for who, expected in REFUSED_BY.items() if refusals(world, who) != expected]


def careless(request: HttpRequest) -> HttpResponse:
    Cluster.objects.update(name="Changed")
    return HttpResponse()


def test_a_route_without_a_row_and_a_page_that_writes_are_noticed(world: World, monkeypatch: Any, settings: Any):
    monkeypatch.setattr(urls, "urlpatterns", [path("new/", careless), *urls.urlpatterns])
    settings.ROOT_URLCONF = urls.__name__  # forgets the routes that it knew
    assert set(routes.routes()) - set(expected.rows()) == {"new/"}
    monkeypatch.setitem(expected.EXTRA, "new/", expected.Row(*[dict.fromkeys(PEOPLE, "200")] * 2))
    assert any(line.startswith("GET new/ as assignee wrote") for line in matrix.complaints(world, "new/"))
