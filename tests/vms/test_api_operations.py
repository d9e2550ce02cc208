"""Operations, snapshots and batches in the API: requested by the same rules as on the pages, followed, cancelled."""

from typing import Any

import pytest

from accounts.models import User
from tests.api_client import Api, fields
from tests.labs import Lab, run_operations
from vms.models import Batch, MachineSet, Operation, Snapshot

pytestmark = pytest.mark.django_db

START = {"action": "start"}


@pytest.fixture
def api(building_a: Lab, ana: User) -> Api:
    """Ana's, who has 101 (stopped) and 102 (running)."""
    for vmid in (101, 102):
        building_a.assign(vmid, ana)
    return Api(ana)


def pk(lab: Lab, vmid: int) -> int:
    return lab.machine(vmid).pk


def test_an_action_is_requested_and_followed_to_its_end(building_a: Lab, api: Api):
    asked = api.post(f"machines/{pk(building_a, 101)}/operations", START)
    assert (asked.status_code, asked.json()["state"], asked.json()["is_open"]) == (202, "requested", True)
    for _ in range(3):
        run_operations()
        building_a.clock.advance(10)
    followed = api.client.get(asked.headers["Location"], headers={"Authorization": f"Bearer {api.text}"}).json()
    assert (followed["state"], followed["is_open"], followed["requested_by"]) == ("done", False, "ana")
    assert building_a.commands() == 1


def test_the_rules_of_the_pages_hold(building_a: Lab, building_b: Lab, api: Api):
    refused = api.post(f"machines/{pk(building_a, 102)}/operations", START)  # it runs
    assert (refused.status_code, "stopped" in refused.json()["detail"]) == (409, True)
    assert api.post(f"machines/{pk(building_b, 101)}/operations", START).status_code == 404
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "explode"}, "body.action"), ({}, "body.action"), ({"action": "destroy"}, "body.action"),
        (None, "body"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_named(building_a: Lab, api: Api, body: Any, field: str):
    answer = api.post(f"machines/{pk(building_a, 101)}/operations", body)
    assert (answer.status_code, fields(answer)) == (422, [field])


@pytest.mark.parametrize("body", ["{", "nothing", "[" * 100_000, "\xff"])
def test_what_is_no_json_is_400(building_a: Lab, api: Api, body: str):
    answer = api.post(f"machines/{pk(building_a, 101)}/operations", body)
    assert (answer.status_code, fields(answer)) == (400, [])


@pytest.mark.parametrize(("action", "right"), [("start", "write"), ("stop", "destroy"), ("reset", "destroy")])
def test_what_loses_work_needs_the_right_to_destroy(building_a: Lab, ana: User, action: str, right: str):
    machine = building_a.assign(102, ana)
    able = Api(ana, may_write=right == "write", may_destroy=right == "destroy")
    unable = Api(ana, may_write=right != "write", may_destroy=right != "destroy")
    path = f"machines/{machine.pk}/operations"
    assert unable.post(path, {"action": action}).status_code == 403
    assert not Operation.objects.exists()
    assert able.post(path, {"action": action}).status_code in {202, 409}


def test_more_than_the_limit_of_a_minute_is_429(building_a: Lab, api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vms.operations.requesting.MAX_PER_MINUTE", 0)
    answer = api.post(f"machines/{pk(building_a, 101)}/operations", START)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_only_what_waits_is_cancelled_and_only_ones_own(building_a: Lab, api: Api, ben: User):
    asked = api.post(f"machines/{pk(building_a, 101)}/operations", START).json()["id"]
    assert Api(ben).post(f"operations/{asked}/cancel").status_code == 404
    assert api.post(f"operations/{asked}/cancel").json()["state"] == "cancelled"
    assert api.post(f"operations/{asked}/cancel").status_code == 409


def test_the_list_of_operations(building_a: Lab, api: Api, ben: User):
    mine = api.post(f"machines/{pk(building_a, 101)}/operations", START).json()["id"]
    building_a.assign(104, ben)
    theirs = Api(ben).post(f"machines/{pk(building_a, 104)}/operations", START).json()["id"]
    assert [one["id"] for one in api.items("operations")] == [mine]
    assert api.get(f"operations/{theirs}").status_code == 404
    for query, found in {
        "is_open=true": 1,
        "is_open=false": 0,
        "state=done": 0,
        "mine=true": 1,
        "machine=1000000": 0,
    }.items():
        assert len(api.items(f"operations?{query}")) == found, query


def test_who_gets_a_machine_does_not_see_what_happened_before(building_a: Lab, api: Api, ben: User):
    machine = building_a.machine(101)
    asked = api.post(f"machines/{machine.pk}/operations", START).json()["id"]
    machine.assignments.update(user=ben, assigned_at=Operation.objects.get().requested_at.replace(year=2100))
    assert Api(ben).get(f"operations/{asked}").status_code == 404


def test_a_restore_point_is_saved_reverted_and_deleted(building_a: Lab, api: Api):
    machine = building_a.machine(101)
    path = f"machines/{machine.pk}/snapshots"
    assert api.post(path, {"name": "my-save-point"}).json()["action"] == "snapshot"
    Operation.objects.all().delete()
    Snapshot.objects.create(vm=machine, name="my-save-point")
    assert [one["name"] for one in api.items(path)] == ["my-save-point"]
    assert fields(api.post(path, {"name": "my-save-point"})) == ["body.name"]
    assert api.post(f"{path}/my-save-point/revert").json()["action"] == "rollback"
    Operation.objects.all().delete()
    assert api.delete(f"{path}/my-save-point").json()["action"] == "delete-snapshot"
    assert (api.delete(f"{path}/nothing").status_code, api.post(f"{path}/nothing/revert").status_code) == (404, 404)


def test_an_assignee_saves_no_other_snapshot(building_a: Lab, api: Api):
    path = f"machines/{pk(building_a, 101)}/snapshots"
    assert api.post(path, {"name": "baseline"}).status_code == 409
    assert fields(api.post(path, {"name": "-"})) == ["body.name"]


@pytest.fixture
def group(building_a: Lab, ben: User) -> MachineSet:
    made = MachineSet.objects.create(name="Monday")
    made.machines.set([building_a.machine(vmid) for vmid in (101, 102)])
    made.stewards.add(ben)
    return made


def test_a_batch_is_requested_and_followed(building_a: Lab, ben: User, group: MachineSet):
    api, wanted = Api(ben), [pk(building_a, 102), pk(building_a, 101)]
    asked = api.post("batches", {"action": "start", "machines": wanted, "group": group.pk})
    assert (asked.status_code, [one["machine"] for one in asked.json()["items"]]) == (201, wanted)
    assert [one["state"] for one in asked.json()["items"]] == ["refused", "waiting"]
    assert asked.json()["items"][0]["refusal"]
    assert [one["id"] for one in api.items("batches")] == [asked.json()["id"]]
    stopped = api.post(f"batches/{asked.json()['id']}/cancel").json()
    assert ([one["state"] for one in stopped["items"]], stopped["is_finished"]) == (["refused", "cancelled"], True)


def test_a_batch_of_others_machines_is_none(building_a: Lab, ben: User, ana: User, group: MachineSet):
    foreign = building_a.assign(104, ana).pk
    body = {"action": "start", "machines": [pk(building_a, 101), foreign]}
    answer = Api(ben).post("batches", body)
    assert (answer.status_code, fields(answer)) == (422, ["body.machines.1"])
    assert fields(Api(ana).post("batches", {"action": "start", "machines": [foreign], "group": group.pk})) == [
        "body.group"
    ]
    assert not Batch.objects.exists()


def test_a_token_for_one_group_names_it(building_a: Lab, ben: User, group: MachineSet):
    api = Api(ben, scope="group", scope_pk=group.pk, scope_name="Monday")
    body = {"action": "start", "machines": [pk(building_a, 101)]}
    assert fields(api.post("batches", body)) == ["body.group"]
    assert api.post("batches", body | {"group": group.pk}).status_code == 201
    assert len(api.items("batches")) == 1
