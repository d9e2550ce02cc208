"""Machines in the API: who sees which, pages, filters, ETags."""

from typing import Any

import pytest

from accounts.models import User
from tests.api_client import Api, fields
from tests.labs import Lab, queries
from vms.models import MachineSet

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(building_a: Lab, ben: User) -> MachineSet:
    """Ben's, with all machines of the cluster."""
    made = MachineSet.objects.create(name="Monday")
    made.machines.set([building_a.machine(vmid) for vmid in (101, 102, 103, 104)])
    made.stewards.add(ben)
    return made


def test_a_person_sees_the_own_machine_alone(building_a: Lab, building_b: Lab, ana: User):
    mine = building_a.assign(102, ana)
    [found] = Api(ana).get("machines").json()["items"]
    assert (found["id"], found["cluster"], found["vmid"], found["name"]) == (mine.pk, "building-a", 102, "net-02")
    assert (found["status"], found["is_current"], found["tags"], found["assignee"]) == (
        "running", True, ["lab", "net"], "ana",
    )  # fmt: skip


def test_a_group_of_others_is_like_none(building_a: Lab, ana: User, ben: User, group: MachineSet):
    """It does not tell whether somebody's own machine is in it."""
    building_a.assign(102, ana)
    assert Api(ana).get(f"machines?group={group.pk}").json() == Api(ana).get("machines?group=4000000000").json()
    group.stewards.add(ana)
    assert len(Api(ana).get(f"machines?group={group.pk}").json()["items"]) == 4


@pytest.mark.parametrize("path", ["machines/{}", "clusters/building-a/machines/{}"])
def test_somebody_elses_machine_is_not_there(building_a: Lab, ana: User, path: str):
    mine, foreign = building_a.assign(101, ana), building_a.machine(102)
    keys = (mine.pk, foreign.pk) if path.startswith("m") else (101, 102)
    assert [Api(ana).get(path.format(key)).status_code for key in keys] == [200, 404]


def test_the_pages_of_a_list_stay_whole_while_rows_come_and_go(building_a: Lab, ben: User, group: MachineSet):
    api = Api(ben)
    first = api.get("machines?limit=2&sort=name").json()
    group.machines.remove(building_a.machine(101))  # which was on the first page
    second = api.get(f"machines?limit=2&sort=name&cursor={first['next']}").json()
    names = [one["name"] for page in (first, second) for one in page["items"]]
    assert (names, second["next"]) == (["net-01", "net-02", "net-03", "net-04"], None)


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name", "vmid", "-vmid"])
def test_every_order_has_every_machine_once(ben: User, group: MachineSet, sort: str):
    found = [one["vmid"] for one in Api(ben).items(f"machines?limit=1&sort={sort}")]
    assert found == sorted(found, reverse=sort.startswith("-"))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=running", [102]), ("status=other", []), ("tag=net", [102]), ("tag=ne", []), ("q=NET-03", [103]),
        ("cluster=building-a", [101, 102, 103, 104]), ("cluster=nowhere", []), ("group=4000000000", []),
    ],
)  # fmt: skip
def test_filters(ben: User, group: MachineSet, query: str, found: list[int]):
    assert [one["vmid"] for one in Api(ben).get(f"machines?{query}").json()["items"]] == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"), ("limit=1001", "query.limit"), ("sort=size", "query.sort"),
        ("group=x", "query.group"), ("cursor=made-up", "query.cursor"), ("q=a%00b", "query.q"),
        ("status=happy", "query.status"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(ana: User, query: str, field: str):
    answer = Api(ana).get(f"machines?{query}")
    assert (answer.status_code, fields(answer)) == (422, [field])


def test_a_cursor_of_another_order_is_refused(ben: User, group: MachineSet):
    api = Api(ben)
    cursor = api.get("machines?limit=1").json()["next"]
    assert fields(api.get(f"machines?sort=name&cursor={cursor}")) == ["query.cursor"]


@pytest.mark.parametrize("query", ["", "?sort=name", "?q=net"])
def test_an_unchanged_list_is_304_and_a_changed_one_is_not(building_a: Lab, ben: User, group: MachineSet, query: str):
    api = Api(ben)
    tag = api.get(f"machines{query}").headers["ETag"]
    with queries() as asked:
        same = api.get(f"machines{query}", If_None_Match=tag)
    assert (same.status_code, same.content, len(asked)) == (304, b"", 2)
    building_a.pve.guest(101).name = "renamed"
    building_a.sync()
    assert api.get(f"machines{query}", If_None_Match=tag).status_code == 200


def test_the_number_of_queries_does_not_depend_on_the_machines(ben: User, group: MachineSet):
    api, asked = Api(ben), []
    for query in ("limit=1", "limit=4", "sort=name&limit=1", "sort=name&limit=4"):
        api.get(f"machines?{query}")
        with queries() as found:
            assert len(api.get(f"machines?{query}").json()["items"]) == int(query[-1])
        asked.append(len(found))
    assert asked == [2, 2, 2, 2]


def test_a_reused_vmid_is_another_machine(building_a: Lab, ben: User, group: MachineSet):
    api, old = Api(ben), building_a.machine(104)
    old.__class__.objects.filter(pk=old.pk).update(gone_at=old.created_at)
    assert api.get(f"machines/{old.pk}").json()["gone_at"]
    assert api.get("clusters/building-a/machines/104").status_code == 404


def test_a_silent_cluster_makes_the_status_an_old_one(building_a: Lab, ana: User):
    machine = building_a.assign(102, ana)
    building_a.row.health.__class__.objects.update(ok=False)
    assert Api(ana).get(f"machines/{machine.pk}").json()["is_current"] is False


def test_the_clusters_of_a_person_without_their_addresses(building_a: Lab, building_b: Lab, ana: User):
    building_a.assign(101, ana)
    api = Api(ana)
    [found] = api.get("clusters").json()["items"]
    assert (found["id"], found["answers"]) == ("building-a", True)
    text = api.get("clusters").content.decode() + api.get("clusters/building-a").content.decode()
    assert building_a.row.host not in text
    assert "portal@pve" not in text
    assert api.get("clusters/building-b").status_code == 404


def _scoped(ben: User, group: MachineSet) -> Any:
    return Api(ben, scope="group", scope_pk=group.pk, scope_name=group.name)


def test_a_token_for_one_group_reaches_nothing_else(building_a: Lab, building_b: Lab, ben: User, group: MachineSet):
    outside = building_b.assign(101, ben)
    everything, scoped = Api(ben), _scoped(ben, group)
    assert [len(api.items("machines")) for api in (everything, scoped)] == [5, 4]
    assert [api.get(f"machines/{outside.pk}").status_code for api in (everything, scoped)] == [200, 404]
    path, start = f"machines/{outside.pk}/operations", {"action": "start"}
    assert [api.post(path, start).status_code for api in (scoped, everything)] == [404, 202]
    assert [len(api.items("clusters")) for api in (everything, scoped)] == [2, 1]
    assert [len(api.items("operations")) for api in (everything, scoped)] == [1, 0]


def test_a_token_for_one_group_names_no_other(building_a: Lab, ben: User, group: MachineSet):
    other = MachineSet.objects.create(name="Expulsions")
    other.machines.add(building_a.machine(101))
    other.stewards.add(ben)
    answers = [api.get("inventory").json() for api in (Api(ben), _scoped(ben, group))]
    teams = [{name for name in told if name.startswith("team_")} for told in answers]
    assert teams == [{"team_Monday", "team_Expulsions"}, {"team_Monday"}]


def test_a_cursor_of_another_list_is_refused(building_a: Lab, building_b: Lab, ben: User):
    for lab in (building_a, building_b):
        lab.assign(101, ben)
    api = Api(ben)
    cursor = api.get("clusters?limit=1").json()["next"]
    assert [len(api.items("clusters?limit=1")), api.get(f"machines?cursor={cursor}").status_code] == [2, 422]
