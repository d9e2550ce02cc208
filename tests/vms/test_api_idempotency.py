"""`Idempotency-Key`: one effect for a key, and the first answer again, also in many at once and after a crash."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts import jobs
from accounts.api import idempotency
from accounts.models import IdempotentCall, User
from clusters.models import Cluster, ClusterHealth
from tests.api_client import Api, fields
from tests.conftest import PASSWORD
from tests.labs import Lab
from tests.own_database import run_in_threads
from vms.models import Batch, Operation, VirtualMachine

START = {"action": "start"}


@pytest.fixture
def api(building_a: Lab, ana: User) -> Api:
    building_a.assign(101, ana)
    return Api(ana)


def body(lab: Lab) -> dict[str, Any]:
    return {"action": "start", "machines": [lab.machine(101).pk]}


@pytest.mark.django_db
def test_the_same_key_gives_the_first_answer(building_a: Lab, api: Api):
    first = api.post("batches", body(building_a), Idempotency_Key="k1")
    Operation.objects.all().delete()
    again = api.post("batches", body(building_a), Idempotency_Key="k1")
    assert (first.status_code, again.status_code, Batch.objects.count()) == (201, 201, 1)
    assert (again.content, again.headers["Location"]) == (first.content, first.headers["Location"])
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert api.post("batches", body(building_a), Idempotency_Key="k2").json()["id"] != first.json()["id"]


@pytest.mark.django_db
def test_a_refusal_is_an_answer_too(building_a: Lab, api: Api):
    path = f"machines/{building_a.assign(102, api.token.owner).pk}/operations"
    assert api.post(path, START, Idempotency_Key="k").status_code == 409
    building_a.pve.guest(102).status = "stopped"
    building_a.sync()
    again = api.post(path, START, Idempotency_Key="k")
    assert (again.status_code, again.headers["Content-Type"]) == (409, "application/problem+json")
    assert api.post(path, START).status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["body", "path", "query"])
def test_a_key_is_bound_to_its_call(building_a: Lab, api: Api, change: str):
    api.post("batches", body(building_a), Idempotency_Key="k")
    path = {"path": f"machines/{building_a.machine(101).pk}/operations", "query": "batches?x=1"}.get(change, "batches")
    other = START if change == "path" else body(building_a) | ({"snapshot": "x"} if change == "body" else {})
    answer = api.post(path, other, Idempotency_Key="k")
    assert (answer.status_code, fields(answer), Batch.objects.count()) == (422, ["header.Idempotency-Key"], 1)


@pytest.mark.django_db
def test_another_token_has_keys_of_its_own(building_a: Lab, api: Api):
    for one in (api, Api(api.token.owner)):
        assert "Idempotent-Replayed" not in one.post("batches", body(building_a), Idempotency_Key="k").headers


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ü"])
def test_what_is_no_key(building_a: Lab, api: Api, key: str):
    assert fields(api.post("batches", body(building_a), Idempotency_Key=key)) == ["header.Idempotency-Key"]


@pytest.mark.django_db
def test_a_key_is_good_for_a_day(building_a: Lab, api: Api, monkeypatch: pytest.MonkeyPatch):
    api.post("batches", body(building_a), Idempotency_Key="k")
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=24))
    answer = api.post("batches", body(building_a), Idempotency_Key="k")
    assert ("Idempotent-Replayed" in answer.headers, Batch.objects.count()) == (False, 2)
    jobs.forget_idempotent_calls()
    assert IdempotentCall.objects.count() == 1
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=24))
    jobs.forget_idempotent_calls()
    assert not IdempotentCall.objects.exists()


@pytest.mark.django_db
def test_a_crash_leaves_neither_effect_nor_answer(building_a: Lab, api: Api, monkeypatch: pytest.MonkeyPatch):
    def dies(*_args: object, **_more: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "_keep", dies)
        with pytest.raises(OperationalError):
            api.post("batches", body(building_a), Idempotency_Key="k")
    assert (Batch.objects.count(), IdempotentCall.objects.count()) == (0, 0)
    assert api.post("batches", body(building_a), Idempotency_Key="k").status_code == 201
    assert Batch.objects.count() == 1


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"secret": "x", "name": "n"}, {"secret": None, "name": "n"}),
        ({"items": [{"secret": "x"}, 1]}, {"items": [{"secret": None}, 1]}),
    ],
)
def test_a_secret_is_not_repeated(value: Any, left: Any):
    assert idempotency._without(value, frozenset({"secret"})) == left


def test_a_hundred_writes_of_one_key_from_ten_threads_are_one(own_database: Any, monkeypatch: pytest.MonkeyPatch):
    ana = User.objects.create_user("ana", password=PASSWORD)
    machines = [_machine(vmid) for vmid in (101, 102)]
    for machine in machines:
        machine.assignments.create(user=ana)
    api, key = Api(ana), str(uuid.uuid4())
    answers: list[Any] = []
    wanted = {"action": "start", "machines": [machine.pk for machine in machines]}

    def calls() -> None:
        mine = Api.__new__(Api)
        mine.__dict__ = api.__dict__ | {"client": type(api.client)()}
        answers.extend(mine.post("batches", wanted, Idempotency_Key=key) for _ in range(10))

    assert run_in_threads(*[calls] * 10) == []
    assert {answer.status_code for answer in answers} == {201}
    assert len(answers) == 100
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert (Batch.objects.count(), IdempotentCall.objects.count()) == (1, 1)


def _machine(vmid: int) -> VirtualMachine:
    cluster, new = Cluster.objects.get_or_create(
        cluster_id="building-a", defaults={"name": "A", "host": "192.0.2.1", "user": "portal@pve"}
    )
    if new:
        ClusterHealth.objects.create(cluster=cluster, ok=True, checked_at=timezone.now())
    made: VirtualMachine = VirtualMachine.objects.create(cluster=cluster, vmid=vmid, node="pve1", status="stopped")
    return made
