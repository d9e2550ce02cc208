"""The admin's lists: what they filter, what they cost, what is downloaded, and hostile names in them."""

import csv
import io
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterNotice
from tests.admin_pages import rows
from tests.labs import Lab, queries
from vms.models import Assignment, MachineSet, Operation, Pool, VirtualMachine

pytestmark = pytest.mark.django_db

MACHINES = "/admin/vms/virtualmachine/"
LISTS = [
    "vms/virtualmachine", "vms/assignment", "vms/operation", "vms/machineset", "auditlog/logentry", "accounts/user",
    "clusters/clusternotice", "clusters/cluster", "vms/clustersync", "vms/syncrun", "vms/node", "vms/alert",
]  # fmt: skip


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def many(lab: Lab, numbers: range) -> None:
    """Machines, each with a pool, a assignee, an operation, a set with a manager, a notice and a line of the trail."""
    for n in numbers:
        person = User.objects.create(username=f"person-{n}")
        machine = VirtualMachine.objects.create(
            cluster=lab.row, vmid=n, name=f"m-{n}", node="pve1", status="running", pool=f"pool-{n}"
        )
        Pool.objects.create(cluster=lab.row, name=f"pool-{n}")
        Assignment.objects.create(vm=machine, user=person)
        Operation.objects.create(
            vm=machine, cluster_id=lab.row.cluster_id, vmid=n, vm_name=machine.name, action="start",
            requested_by_name=person.username,
        )  # fmt: skip
        group = MachineSet.objects.create(name=f"set-{n}")
        group.machines.add(machine)
        group.stewards.add(person)
        ClusterNotice.objects.create(cluster=lab.row, text=f"notice {n}")


def cost(client: Client, address: str) -> int:
    """Without the marks of transactions, of which a test has more."""
    with queries() as seen:
        assert client.get(address).status_code == 200
    return sum("SAVEPOINT" not in query["sql"] for query in seen)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_few_queries_at_any_size(lena: Client, building_a: Lab, name: str):
    many(building_a, range(200, 202))
    few = cost(lena, f"/admin/{name}/")
    many(building_a, range(300, 330))
    assert few == cost(lena, f"/admin/{name}/") <= 10


# Filters


def shown(client: Client, **query: str) -> list[int]:
    answer = client.get(MACHINES, query)
    return sorted(machine.vmid for machine in answer.context["cl"].result_list)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"cluster": "building-b"}, [201]),
        ({"status": "paused"}, [101]),
        ({"status": "other"}, [104]),
        ({"pool": "net"}, [102]),
        ({"held": "yes"}, [102]),
        ({"held": "no", "cluster": "building-a"}, [101, 103, 104]),
        ({"presence": "missing"}, [103]),
        ({"presence": "gone"}, [105]),
        ({"template__exact": "1"}, [104]),
        ({"q": "pve9"}, [101]),
    ],
)
def test_machines_are_filtered(lena: Client, shelves: Lab, query: Any, found: list[int]):
    assert shown(lena, **query) == found


@pytest.fixture
def shelves(building_a: Lab, building_b: Lab, ana: User) -> Lab:
    """On building A one machine of each kind: paused, held and in a pool, missing, a template, gone."""
    machines = VirtualMachine.objects
    machines.filter(cluster="building-b").delete()
    machines.create(cluster=building_b.row, vmid=201, node="pve1", status="running")
    machines.create(cluster=building_a.row, vmid=105, node="pve1", status="stopped", gone_at=timezone.now())
    machines.filter(vmid=101).update(status="paused", node="pve9")
    machines.filter(vmid=102).update(pool="net")
    machines.filter(vmid=103).update(missing_since=timezone.now())
    machines.filter(vmid=104).update(template=True, status="prelaunch")
    Pool.objects.create(cluster=building_a.row, name="net")
    building_a.assign(102, ana)
    return building_a


def test_what_is_gone_is_listed_when_asked_for(lena: Client, building_a: Lab):
    VirtualMachine.objects.filter(vmid=101).update(gone_at=timezone.now())
    assert (len(shown(lena)), len(shown(lena, presence="all"))) == (3, 4)
    assert b"gone for under a minute" in lena.get(MACHINES, {"presence": "gone"}).content


def test_a_template_and_what_is_gone_are_not_offered_to_be_assigned(lena: Client, building_a: Lab, ana: User):
    VirtualMachine.objects.filter(vmid=101).update(template=True)
    VirtualMachine.objects.filter(vmid=102).update(gone_at=timezone.now())
    asked = {"app_label": "vms", "model_name": "assignment", "field_name": "vm", "term": "net"}
    offered = lena.get("/admin/autocomplete/", asked).json()["results"]
    assert [row["text"] for row in offered] == ["net-03 (building-a/103)", "net-04 (building-a/104)"]
    for vmid in 101, 102:
        lena.post(reverse("admin:vms_assignment_add"), {"vm": building_a.machine(vmid).pk, "user": ana.pk})
    assert not Assignment.objects.exists()


# Notes


def describe(client: Client, machine: VirtualMachine, **values: str) -> Any:
    return client.post(f"{MACHINES}{machine.pk}/change/", {"note": "", "guest_login": "", **values})


def test_a_lab_administrator_writes_note_and_guest_login(lena: Client, building_a: Lab, lab_admin: User):
    machine = building_a.machine(101)
    describe(lena, machine, note="Cable 7", guest_login="student, on the board")
    machine.refresh_from_db()
    assert (machine.note, machine.guest_login) == ("Cable 7", "student, on the board")
    entry = LogEntry.objects.get_for_object(machine).get()
    assert entry.actor == lab_admin
    assert entry.changes == {"note": ["", "Cable 7"], "guest_login": ["", "***"]}


def test_what_people_wrote_outlives_a_reading(lena: Client, building_a: Lab):
    describe(lena, building_a.machine(101), note="Cable 7", guest_login="student")
    building_a.pve.guest(101).name = "renamed"
    building_a.sync()
    machine = building_a.machine(101)
    assert (machine.name, machine.note, machine.guest_login) == ("renamed", "Cable 7", "student")


def test_saving_a_note_undoes_nothing_that_was_read_meanwhile(lena: Client, building_a: Lab):
    machine = building_a.machine(101)
    VirtualMachine.objects.filter(pk=machine.pk).update(status="running")
    machine.describe(note="x", guest_login="")
    assert building_a.machine(101).status == "running"


@pytest.mark.parametrize("values", [{"note": "n" * 2001}, {"guest_login": "g" * 201}])
def test_what_is_too_long_is_refused(lena: Client, building_a: Lab, values: Any):
    assert b"errorlist" in describe(lena, building_a.machine(101), **values).content


def test_an_auditor_writes_no_note(client: Client, building_a: Lab, auditor: User):
    client.force_login(auditor)
    assert describe(client, building_a.machine(101), note="x").status_code == 403


# Downloads


def table(answer: Any) -> list[list[str]]:
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("name", ["vms/virtualmachine", "vms/assignment", "vms/operation", "auditlog/logentry"])
def test_a_list_is_downloaded_by_who_may_look_at_it(
    client: Client, building_a: Lab, auditor: User, ana: User, name: str
):
    many(building_a, range(200, 201))
    client.force_login(auditor)
    assert len(table(client.get(f"/admin/{name}/download/"))) > 1
    client.force_login(ana)
    assert client.get(f"/admin/{name}/download/").status_code == 302


def test_staff_without_the_right_download_nothing(client: Client, building_a: Lab, ana: User):
    User.objects.filter(pk=ana.pk).update(is_staff=True)
    client.force_login(ana)
    assert client.get("/admin/vms/operation/download/").status_code == 403


def test_a_download_keeps_the_filters(lena: Client, building_a: Lab):
    many(building_a, range(200, 260))
    assert len(table(lena.get(f"{MACHINES}download/", {"held": "no"}))) == 5
    assert len(table(lena.get(f"{MACHINES}download/", {"held": "yes"}))) == 61


def test_the_link_to_the_download_keeps_filters_and_search(lena: Client, building_a: Lab):
    text = lena.get(MACHINES, {"held": "no", "q": "net", "p": "1"}).content.decode()
    assert f'href="{MACHINES}download/?held=no&amp;q=net"' in text


def test_a_filter_that_is_none_leads_back_to_the_list(lena: Client, building_a: Lab):
    assert lena.get("/admin/vms/operation/download/", {"requested_at__gte": "x"}).status_code == 302


def test_a_download_of_assignments_can_be_read_in_again(lena: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    header, row = table(lena.get("/admin/vms/assignment/download/"))
    assert row[:3] == ["ana", "building-a", "101"]
    Assignment.objects.update(ended_at=timezone.now(), released_at=timezone.now())
    again = "\n".join(",".join(cells) for cells in (header, row))
    assert rows(lena.post("/admin/vms/assignment/bulk/", {"text": again}))[0].endswith("will be assigned")


def test_no_cell_of_a_download_is_a_formula(lena: Client, building_a: Lab):
    VirtualMachine.objects.filter(vmid=101).update(name="=cmd|' /C calc'!A0", note="@x")
    _, found = table(lena.get(f"{MACHINES}download/", {"q": "101"}))
    assert [cell for cell in found if cell[:1] in {"=", "@"}] == []
    assert "'=cmd|' /C calc'!A0" in found


def test_deleting_a_person_with_a_machine_says_what_to_do_first(admin_client: Client, building_a: Lab, ana: User):
    building_a.assign(101, ana)
    shown = admin_client.get(f"/admin/accounts/user/{ana.pk}/delete/").text
    assert "End or hand over the items below" in shown
    assert "net-01 (building-a/101)" in shown
