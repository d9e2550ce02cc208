"""Schemathesis calls the API by its own schema, with three people's tokens: bin/test -n0 -s THIS FILE.

No answer is a fault of the portal's, each is one that the schema allows, and none holds what is somebody else's: what
is foreign has a name that nothing else has, on clusters with the same VMIDs.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts import tokens
from accounts.models import ApiToken
from labportal import api
from tests.access import routes
from tests.access.school import World, rolled_back
from tests.access.test_api_matrix import CALLS, _staff_tokens_are_allowed  # noqa: F401 - a fixture
from tests.api_client import EVERYTHING
from tests.samples import API_CASES, SEED
from vms.access import lookups
from vms.models import MadeMachine, VirtualMachine

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]

CLUSTERS = 2

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PEOPLE = {"student": "assignee", "teacher": "co_owner", "administrator": "superuser"}
EACH = max(1, API_CASES // (len(CALLS) * len(PEOPLE)))
MARK = "foreign-to-the-caller"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of refusals are thousands of warnings. The end of a request leaves the test its connection."""
    logging.disable(logging.ERROR)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def schema() -> Any:
    found = schemathesis.openapi.from_dict(json.loads(json.dumps(api.schema())))
    found.app, found.location = get_wsgi_application(), "/api/v1/openapi.json"
    return found


def token_of(world: World, kind: str) -> str:
    given = EVERYTHING | {"name": kind, "expires_at": timezone.now() + timedelta(days=1), "as_staff": True}
    return tokens.create(world.people[PEOPLE[kind]], **given)[1]


def hide_what_is_foreign(world: World, kind: str) -> set[tuple[str, int]]:
    """Name what this person does not see by the mark. Returns what they see, by cluster and VMID."""
    seen = lookups.visible_to(world.people[PEOPLE[kind]])
    VirtualMachine.objects.exclude(pk__in=seen.values("pk")).update(name=MARK, note=MARK, tags=MARK, pool=MARK)
    if kind != "administrator":
        type(world.foreign_class).objects.filter(pk=world.foreign_class.pk).update(name=MARK, description=MARK)
    made = MadeMachine.objects.filter(run__machine_set__in=lookups.groups_for(world.people[PEOPLE[kind]]))
    return {*seen.values_list("cluster_id", "vmid"), *made.values_list("cluster_id", "vmid")}


def foreign_in(value: Any, seen: set[tuple[str, int]]) -> list[Any]:
    """What names a machine that the person does not see, anywhere in an answer."""
    if isinstance(value, list):
        return [found for one in value for found in foreign_in(one, seen)]
    if not isinstance(value, dict):
        return [value] if value == MARK else []
    found = [found for one in value.values() for found in foreign_in(one, seen)]
    named = (value.get("cluster"), value.get("vmid"))
    return [*found, named] if None not in named and named not in seen else found


@dataclass
class Run:
    """The calls with one person's token: how often each status came, and what was wrong."""

    world: World
    text: str
    seen: set[tuple[str, int]]
    told: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def call_all(world: World, schema: Any, kind: str) -> Run:
    with rolled_back():
        seen = hide_what_is_foreign(world, kind)
        run = Run(world, token_of(world, kind), seen)
        ApiToken.objects.update(last_used_at=timezone.now())
        for operation in schema.get_all_operations():
            call(run, operation.ok())
    return run


def call(run: Run, operation: Any) -> None:
    """With parameters that name something of the student's, something foreign, or nothing."""
    found = routes.values(run.world, f"api/v1/{operation.path.removeprefix('/api/v1/')}")
    ours = {name: value if isinstance(value, int) else str(value) for name, value in found.items()}
    theirs = ours | {"id": run.world.foreign.pk, "vmid": run.world.foreign.vmid}

    @seed(SEED)
    @settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), named=st.sampled_from([ours, ours, theirs, {}]))
    def each(case: Any, named: dict[str, Any]) -> None:
        case.path_parameters |= {name: named[name] for name in case.path_parameters if name in named}
        with rolled_back():
            answer = case.call(headers={"Authorization": f"Bearer {run.text}"})
        run.told[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            run.wrong.extend(f"{operation.label}: {one.title}: {one.message}" for one in failures.exceptions)
        is_json = "json" in answer.headers.get("content-type", [""])[0]
        if is_json and (found := foreign_in(json.loads(answer.content), run.seen)):
            run.wrong.append(f"{operation.label}: foreign: {found}")

    each()


@pytest.mark.parametrize("kind", PEOPLE)
def test_every_call_answers_as_the_schema_says_and_tells_nothing_foreign(world: World, schema: Any, kind: str):
    run = call_all(world, schema, kind)
    told = dict(sorted(run.told.items()))
    print(f"\n{kind}: {run.told.total()} cases, seed {SEED}: {told}; {len(run.wrong)} wrong")
    assert not run.wrong, "\n".join(run.wrong[:10])
    assert run.told.total() >= len(CALLS)
    assert {200, 404} <= set(told)


def test_an_answer_with_what_is_foreign_is_noticed(world: World, schema: Any, monkeypatch: pytest.MonkeyPatch):
    def everything(user: Any) -> Any:
        return VirtualMachine.objects.all()

    hidden = hide_what_is_foreign

    def opened(world: World, kind: str) -> set[tuple[str, int]]:
        seen = hidden(world, kind)
        monkeypatch.setattr(lookups, "visible_to", everything)
        return seen

    monkeypatch.setattr(f"{__name__}.hide_what_is_foreign", opened)
    assert any("foreign" in line for line in call_all(world, schema, "student").wrong)
