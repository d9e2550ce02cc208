"""*My machines*: filtered, empty, one alone, and what a long list costs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from accounts.models import User
from clusters.models import Cluster, ClusterHealth, ClusterNotice
from tests.labs import Lab, ago, queries
from tests.vms.test_machine_list import HTMX, LIST, Page, add_machines, get, log_in, refresh
from vms.models import Assignment, ClusterSync, Operation, VirtualMachine
from vms.pages import list_query
from vms.pages.list_query import ListQuery

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def seven(building_a: Lab, ana: User) -> list[VirtualMachine]:
    """m-200 to m-206 run, save m-203, which is stopped, and m-204, which nobody knows."""
    add_machines(building_a.row, range(200, 207), ana)
    VirtualMachine.objects.filter(vmid=203).update(status="stopped", tags="exam;net")
    VirtualMachine.objects.filter(vmid=204).update(status="prelaunch")
    return list(VirtualMachine.objects.filter(vmid__gte=200))


# Filter

FILTERS = [
    ({"q": "M-20"}, 7),
    ({"q": "203"}, 1),
    ({"q": " exam "}, 1),
    ({"q": "%"}, 0),
    ({"status": "running"}, 5),
    ({"status": "stopped"}, 1),
    ({"status": "other"}, 1),
    ({"status": "running", "q": "m-203"}, 0),
    ({"status": "nonsense"}, 7),
    ({"q": "\0"}, 7),
    ({"q": "9" * 90}, 0),
]


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_the_list_is_filtered_by_the_address(as_ana: Client, seven: Any, query: dict[str, str], count: int):
    assert len(get(as_ana, **query).names) == count


def test_a_filter_shows_nobody_elses(client: Client, seven: Any, ben: User, building_a: Lab):
    building_a.assign(101, ben)
    assert get(log_in(client, ben), q="m-").names == []


def test_what_was_typed_stays_and_makes_no_element(as_ana: Client, seven: Any):
    page = get(as_ana, q='"><script>x</script>', status="running")
    assert page.all("input", id="q", value='"><script>x</script>')
    assert [option["value"] for option in page.all("option", of="status") if "selected" in option] == ["running"]
    assert "<script>x" not in page.text


def test_a_filter_that_hides_everything_says_so_and_can_be_cleared(as_ana: Client, seven: Any):
    page = get(as_ana, q="nothing")
    assert "No machine matches the filter." in page.text
    assert page.all("a", href=f"{LIST}?cluster=")


def test_a_refresh_keeps_the_filter(as_ana: Client, seven: Any):
    page = get(as_ana, status="running")
    assert refresh(as_ana, page).status_code == 204
    VirtualMachine.objects.filter(vmid=200).update(status="stopped")
    assert len(Page(refresh(as_ana, page).content.decode()).names) == 4


def test_a_few_machines_need_no_filter(as_ana: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    assert not get(as_ana).all("input", id="q")


def test_an_empty_cluster_tells_of_the_others(client: Client, seven: Any, lab_admin: User):
    Cluster.objects.create(cluster_id="empty", name="Empty", host="pve.test", user="u@pve", password="x")
    assert "but 11 on other clusters." in get(log_in(client, lab_admin), cluster="empty").text


# One machine


def test_who_has_one_machine_sees_one_large_card(as_ana: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    assert get(as_ana).all("div", id="machines", **{"class": "single"})
    building_a.assign(102, ana)
    assert not get(as_ana).all("div", id="machines", **{"class": "single"})


def test_a_machine_that_runs_is_told_by_title_and_icon(as_ana: Client, building_a: Lab, ana: User):
    calm = get(log_in(as_ana, ana))
    building_a.assign(102, ana)
    busy = get(as_ana)
    assert "1 running" in busy.text[: busy.text.index("</title>")]
    assert calm.all("link", rel="icon")[0]["href"] != busy.all("link", rel="icon")[0]["href"]


# Cost


def many(ana: User, *, machines: int, clusters: int) -> None:
    """Ana has 50 of so many machines, over so many clusters."""
    rows = [
        Cluster.objects.create(cluster_id=f"c-{n}", name=f"C {n}", host="pve.test", user="u@pve", password="x")
        for n in range(clusters)
    ]
    for row in rows:
        ClusterHealth.succeeded(row.cluster_id)
        ClusterSync.objects.update_or_create(cluster_id=row.cluster_id, defaults={"synced_at": ago()})
    settled = {"booted_at": ago(minutes=60), "details_at": ago(), "details_due_at": ago(hours=-6)}
    VirtualMachine.objects.bulk_create(
        VirtualMachine(
            cluster=rows[n % clusters], vmid=n + 100, name=f"m-{n}", node="pve1", status="running", **settled
        )
        for n in range(machines)
    )
    held = VirtualMachine.objects.order_by("vmid")[:50]
    Assignment.objects.bulk_create(Assignment(vm=machine, user=ana) for machine in held)
    if connection.vendor == "postgresql":  # as autovacuum does: the statistics of other tests are of no use
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE vms_virtualmachine, vms_assignment, clusters")


SIZES = [(200, 1), (200, 20), (20_000, 20)]


@pytest.mark.parametrize(("machines", "clusters"), SIZES)
def test_fifty_machines_cost_five_queries_and_an_unchanged_refresh_three(
    as_ana: Client, ana: User, machines: int, clusters: int
):
    many(ana, machines=machines, clusters=clusters)
    with queries() as seen:
        page = get(as_ana, cluster="")
    with queries() as again:
        assert refresh(as_ana, page).status_code == 204
    assert (len(page.names), selects(seen), selects(again)) == (50, 5, 3)


def test_no_query_of_the_list_reads_the_machines_of_others(ana: User):
    many(ana, machines=1000, clusters=2)
    rows = ListQuery.from_url({}).machines(ana, ago())[:50]
    queried = (rows, list_query._counted(ana), VirtualMachine.objects.all())
    assert [len(whole_reads(found)) for found in queried] == [0, 0, 1]


def whole_reads(rows: QuerySet[Any]) -> list[str]:
    """Where the plan of this query goes through the whole table of machines."""
    if connection.vendor == "sqlite":
        tables = {"vms_virtualmachine", *re.findall(r'"vms_virtualmachine" (\w+)', str(rows.query))}
        return [line for line in rows.explain().splitlines() if line.split()[3] == "SCAN" and line.split()[4] in tables]
    (plan,) = json.loads(rows.explain(format="JSON"))
    reads = [step for step in steps(plan["Plan"]) if step.get("Relation Name") == "vms_virtualmachine"]
    return [step["Node Type"] for step in reads if "Index Cond" not in step]


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


def selects(seen: Any) -> int:
    return sum(query["sql"].startswith(("SELECT", "(SELECT")) for query in seen)


def test_operations_and_notices_cost_a_query_each(as_ana: Client, ana: User):
    many(ana, machines=60, clusters=2)
    ClusterNotice.objects.create(cluster=Cluster.objects.get(cluster_id="c-0"), text="Friday")
    machine = VirtualMachine.objects.order_by("vmid")[0]
    values = {"cluster_id": "c-0", "vmid": 100, "action": "start", "state": "done"}
    Operation.objects.create(vm=machine, admitted_at=ago(), finished_at=ago(), **values)
    with queries() as seen:
        page = get(as_ana, cluster="")
    assert (selects(seen), "Friday" in page.text) == (7, True)


@pytest.mark.parametrize("who", ["ana", "lab_admin"])
def test_the_second_page_refreshes_as_the_second(
    client: Client, request: pytest.FixtureRequest, building_a: Lab, ana: User, who: str
):
    add_machines(building_a.row, range(200, 260), ana)
    page = get(log_in(client, request.getfixturevalue(who)), page=2)
    assert refresh(client, page).status_code == 204
    VirtualMachine.objects.filter(vmid=259).update(status="stopped")
    assert len(Page(refresh(client, page).content.decode()).names) == len(page.names)


@pytest.mark.parametrize("seen", ["", "x", "\0", "0" * 4000])
def test_a_refresh_with_a_strange_fingerprint_brings_the_list(as_ana: Client, seven: Any, seen: str):
    query = {"cluster": "nowhere\0", "page": "99999", "seen": seen}
    assert as_ana.get(LIST, query, headers=HTMX).status_code == 200
