"""Every call of the API, with every kind of token: the table says who gets what.

Columns, by the owner of the token: the student who holds the machine with all rights, with one right alone (read,
write, destroy), and with a scope that has nothing to do with it; another student; the manager of the machine's group;
a co-owner of its class; a lab administrator whose token has no rights as staff; one whose token has them, and a
superuser. A new call needs a row here; what its body needs stands in BODIES.
"""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.shortcuts import get_object_or_404
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.api import auth
from accounts.models import ApiToken
from labportal import api
from tests.access import routes
from tests.access.school import World, rolled_back, writes
from tests.api_client import EVERYTHING
from vms.access import lookups
from vms.models import Operation, VirtualMachine
from vms.models.machine_queryset import VirtualMachineQuerySet

pytestmark = pytest.mark.django_db

CLUSTERS = 2

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "assignee": ("assignee", {}),
    "read": ("assignee", {"may_write": False, "may_destroy": False}),
    "write": ("assignee", {"may_read": False, "may_destroy": False}),
    "destroy": ("assignee", {"may_read": False, "may_write": False}),
    "scoped": ("assignee", {"scope": "group", "scope_pk": 2**40, "scope_name": "gone"}),
    "other": ("other", {}),
    "manager": ("manager", {}),
    "co_owner": ("co_owner", {}),
    "lab_admin": ("lab_admin", {}),
    "as_staff": ("lab_admin", {"as_staff": True}),
    "superuser": ("superuser", {"as_staff": True}),
}

# call                 assignee read write destroy scoped other manager co_owner lab_admin as_staff superuser
TABLE = """
token                200 200 403 403 200 200 200 200 200 200 200
list_audit           403 403 403 403 403 403 403 403 403 200 200
list_clusters        200 200 403 403 200 200 200 200 200 200 200
get_cluster          200 200 403 403 404 200 200 200 404 200 200
list_machines        200 200 403 403 200 200 200 200 200 200 200
get_machine          200 200 403 403 404 404 200 200 404 200 200
get_machine_by_vmid  200 200 403 403 404 404 200 200 404 200 200
request_operation    202 403 202 403 404 404 202 202 404 202 202
list_snapshots       200 200 403 403 404 404 200 200 404 200 200
save_snapshot        202 403 202 403 404 404 202 202 404 202 202
revert_to_snapshot   202 403 403 202 404 404 202 202 404 202 202
delete_snapshot      409 403 403 409 404 404 202 202 404 202 202
list_operations      200 200 403 403 200 200 200 200 200 200 200
get_operation        200 200 403 403 404 404 200 200 404 200 200
cancel_operation     409 403 409 403 404 404 404 404 404 404 404
list_batches         200 200 403 403 200 200 200 200 200 200 200
get_batch            404 404 403 403 404 404 200 200 404 200 200
request_batch        201 403 201 403 422 422 201 201 422 201 201
cancel_batch         404 403 404 403 404 404 200 200 404 200 200
list_groups          200 200 403 403 200 200 200 200 200 200 200
list_classes         200 200 403 403 200 200 200 200 200 200 200
get_class            200 200 403 403 404 404 200 200 404 200 200
list_people          404 404 403 403 404 404 200 200 404 200 200
list_class_machines  404 404 403 403 404 404 200 200 404 200 200
export_people        404 404 403 403 404 404 200 200 404 200 200
add_people           404 403 404 403 404 404 201 201 404 201 201
remove_person        404 403 403 404 404 404 204 204 404 204 204
assign_machine       404 403 404 403 404 404 409 409 404 409 409
unassign_machine     404 403 403 404 404 404 204 204 404 204 204
list_invites         404 404 403 403 404 404 200 200 404 200 200
create_invite        404 403 404 403 404 404 201 201 404 201 201
revoke_invite        404 403 404 403 404 404 204 204 404 204 204
list_lessons         200 200 403 403 404 404 200 200 404 200 200
list_occurrences     200 200 403 403 404 404 200 200 404 200 200
add_lesson           404 403 404 403 404 404 201 201 404 201 201
change_lesson        404 403 404 403 404 404 201 201 404 201 201
delete_lesson        404 403 404 403 404 404 204 204 404 204 204
change_lesson_day    404 403 404 403 404 404 201 201 404 201 201
leave_out_lesson_day 404 403 404 403 404 404 204 204 404 204 204
restore_lesson_day   404 403 404 403 404 404 204 204 404 204 204
list_hours           404 404 403 403 404 404 200 200 404 200 200
give_extra_hours     404 403 404 403 404 404 201 201 404 201 201
list_templates       404 404 403 403 404 404 200 200 404 200 200
plan_machines        404 404 403 403 404 404 422 422 404 422 422
request_machines     404 403 404 403 404 404 422 422 404 422 422
list_runs            200 200 403 403 200 200 200 200 200 200 200
get_run              404 404 403 403 404 404 200 200 404 200 200
retry_run            404 403 404 403 404 404 202 202 404 202 202
cancel_run           404 403 404 403 404 404 200 200 404 200 200
list_losses          404 404 403 403 404 404 200 200 404 200 200
undo_run             404 403 403 404 404 404 422 422 404 422 422
get_inventory        200 200 403 403 200 200 200 200 200 200 200
"""

LESSON = {"first_day": "2199-01-11", "begins": "09:00", "ends": "10:00"}
QUERIES = {
    "remove_person": "?way=shut-down",
    "unassign_machine": "?way=shut-down",
    "plan_machines": "?template=1&spare=1",
}
BODIES: dict[str, Any] = {
    "request_operation": {"action": "start"},
    "save_snapshot": {"name": "my-save-point"},
    "request_batch": {"action": "start", "machines": ["<machine>"]},
    "add_people": {"usernames": ["other"]},
    "assign_machine": {"machine": "<machine>", "username": "assignee"},
    "create_invite": {"max_uses": 5},
    "add_lesson": LESSON,
    "change_lesson": LESSON,
    "change_lesson_day": {"new_day": "2199-01-11", "begins": "09:00", "ends": "10:00"},
    "give_extra_hours": {"username": "assignee", "hours": 1},
    "request_machines": {"template": 1, "spare": 1},
    "undo_run": {"word": "no", "expected": "no"},
}

# Of tokens that are good for nothing, whatever the call.
DEAD = {"expired": {"expires_at": timezone.now() - timedelta(days=1)}, "revoked": {"revoked_at": timezone.now()}}


@dataclass(frozen=True)
class Call:
    id: str
    method: str
    route: str


def calls() -> list[Call]:
    return [
        Call(api.api.get_openapi_operation_id(one), one.methods[0], api.PREFIX + path.lstrip("/"))
        for router in api.api._get_bound_routers()
        for path, view in router.path_operations.items()
        for one in view.operations
    ]


CALLS = {call.id: call for call in calls()}


def table() -> dict[str, dict[str, str]]:
    lines = [line.split() for line in TABLE.strip().splitlines()]
    return {name: dict(zip(KINDS, codes, strict=True)) for name, *codes in lines}


@pytest.fixture(scope="module")
def texts(world: World) -> dict[str, str]:
    """A token of each kind."""
    found = {}
    for kind, (owner, fields) in {**KINDS, **{kind: ("assignee", more) for kind, more in DEAD.items()}}.items():
        given = EVERYTHING | {"name": kind, "expires_at": timezone.now() + timedelta(days=1)} | fields
        found[kind] = tokens.create(world.people[owner], **given)[1]
    ApiToken.objects.update(last_used_at=timezone.now())  # so that its note is no write
    return found


@pytest.fixture(autouse=True)
def _staff_tokens_are_allowed(settings: Any) -> None:
    settings.API_STAFF_TOKENS = True
    settings.API_CALLS_PER_MINUTE = 100_000


def filled(value: Any, world: World) -> Any:
    if isinstance(value, dict):
        return {name: filled(one, world) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, world) for one in value]
    return world.machine.pk if value == "<machine>" else value


def ask(world: World, text: str, call: Call) -> tuple[str, list[str]]:
    """The status, and the statements that wrote."""
    route = re.sub(r"{(?:\w+:)?(\w+)}", r"<\1>", call.route)
    url, body = routes.address(world, route) + QUERIES.get(call.id, ""), filled(BODIES.get(call.id), world)
    headers = {"Authorization": f"Bearer {text}"}
    content = "" if body is None else json.dumps(body)
    with rolled_back(), writes() as wrote:
        answer = Client().generic(call.method, url, content, "application/json", headers=headers)
    return str(answer.status_code), wrote


def complaints(world: World, texts: dict[str, str], call: Call) -> list[str]:
    found = []
    for kind, wanted in table()[call.id].items():
        status, wrote = ask(world, texts[kind], call)
        if status != wanted:
            found.append(f"{call.id} with {kind}: {status}, not {wanted}")
        if wrote and (call.method == "GET" or status in {"401", "403", "404", "422"}):
            found.append(f"{call.id} with {kind} wrote: {wrote}")
    return found


def test_every_call_has_a_row():
    assert sorted(table()) == sorted(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_every_token_gets_what_the_table_says(world: World, texts: dict[str, str], name: str):
    assert complaints(world, texts, CALLS[name]) == []


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_token_gets_nothing(world: World, texts: dict[str, str], name: str, kind: str):
    assert ask(world, texts[kind], CALLS[name]) == ("401", [])


# The checks can fail


def everything(self: Any, user: Any) -> Any:
    return self.all()


def any_machine(pk: int) -> VirtualMachine:
    return get_object_or_404(VirtualMachine, pk=pk)


HOLES: dict[str, tuple[Any, str, Any, str]] = {
    "what a person sees": (VirtualMachineQuerySet, "visible_to", everything, "get_machine"),
    "what a person operates": (lookups, "operable_or_404", lambda user, pk: any_machine(pk), "request_operation"),
    "what a history shows": (lookups, "operations_for", lambda user: Operation.objects.all(), "get_operation"),
    "rights": (auth, "has", lambda token, right: True, "delete_snapshot"),
    "scopes": (tokens, "narrowed", lambda token, rows: rows, "get_machine"),
    "staff": (auth, "_person", lambda token: token.owner, "get_cluster"),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_defence_that_is_gone_is_noticed(
    world: World, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch, hole: str
):
    where, name, instead, call = HOLES[hole]
    monkeypatch.setattr(where, name, instead)
    assert complaints(world, texts, CALLS[call]) != []


def test_a_dead_token_that_works_is_noticed(world: World, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ApiToken, "is_live", lambda self, now: True)
    assert [ask(world, texts[kind], CALLS["token"])[0] for kind in DEAD] == ["200", "200"]
