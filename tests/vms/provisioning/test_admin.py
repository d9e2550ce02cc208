"""Templates, networks and quotas in the admin."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.admin_pages import signed
from tests.published import class_of, cluster, machine, network, template
from vms.models import (
    Assignment,
    LeasableNetwork,
    MachineSet,
    MachineTemplate,
    MadeMachine,
    NetworkLease,
    ProvisioningRun,
    Quota,
)

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Database", "cluster": "north", "clone_kind": "linked", "pool": "labs", "vmid_from": "6000",
    "vmid_to": "6099", "name_pattern": "db-{n}", "guest_os": "linux", "cores": "2", "memory_mib": "2048",
    "disk_gib": "10", "ip_config": "ip=dhcp", "is_active": "on", "copies-TOTAL_FORMS": "1", "copies-INITIAL_FORMS": "0",
    "copies-0-node": "pve1", "copies-0-vmid": "902", "copies-0-storage": "local",
}  # fmt: skip


@pytest.fixture
def lena(client: Client, lab_admin: User) -> Client:
    client.force_login(lab_admin)
    return client


def test_a_template_is_published_with_its_copies(lena: Client):
    cluster()
    answer = lena.post("/admin/vms/machinetemplate/add/", FORM)
    assert answer.status_code == 302, answer.context["errors"]
    assert [(one.node, one.vmid) for one in MachineTemplate.objects.get().copies.all()] == [("pve1", 902)]


@pytest.mark.parametrize(("wrong", "told"), [
    ({"vmid_from": "5050"}, "uses VMIDs 5000 to 5099"),
    ({"vmid_from": "99"}, "greater than or equal to 100"),
    ({"vmid_from": "6100"}, "The last VMID can&#x27;t be before the first."),
    ({"name_pattern": "db"}, "Use {n} once"),
    ({"name_pattern": "db_{n}"}, "Use letters, digits and dashes."),
    ({"name_pattern": "databases-12-{n}", "guest_os": "windows"}, "longer than 15 characters"),
    ({"storage": "local"}, "Linked clones stay on the template&#x27;s storage."),
    ({"name": "WEB server"}, "A template with this name already exists"),
    ({"cores": "0"}, "greater than or equal to 1"),
])  # fmt: skip
def test_a_template_that_would_not_do_is_refused(lena: Client, wrong: dict[str, str], told: str):
    template(cluster())
    answer = lena.post("/admin/vms/machinetemplate/add/", FORM | wrong)
    assert told in answer.content.decode()
    assert MachineTemplate.objects.count() == 1


def test_the_list_says_how_many_machines_there_are(lena: Client, django_assert_max_num_queries: Any):
    web = template(cluster())
    group = MachineSet.objects.create(name="Monday")
    run = ProvisioningRun.objects.create(template=web, machine_set=group)
    size = {"cores": 1, "memory_mib": 1, "disk_gib": 1, "template_vmid": 900, "template_node": "pve1", "node": "pve1"}
    for vmid in (5000, 5001):
        MadeMachine.objects.create(run=run, position=1, cluster_id="north", vmid=vmid, name="w", password="x", **size)
    with django_assert_max_num_queries(12):
        page = lena.get("/admin/vms/machinetemplate/").content.decode()
    assert '<td class="field-copy_count">2</td><td class="field-made_count">2</td>' in page
    answer = lena.post(f"/admin/vms/machinetemplate/{web.pk}/delete/", {"post": "yes"})
    assert MachineTemplate.objects.exists()
    assert answer.status_code == 200  # its machines still exist
    MadeMachine.objects.update(removed_at="2026-01-01T00:00Z")
    lena.post(f"/admin/vms/machinetemplate/{web.pk}/delete/", {"post": "yes"})
    assert not MachineTemplate.objects.exists()


@pytest.mark.parametrize(("kind", "more", "line", "place"), [
    ("bridges", {}, "auto vmbr41", ("vmbr41", None)),
    ("vlans", {"bridge": "vmbr0"}, "bridge-vids 40-42", ("vmbr0", 41)),
    ("vnets", {"bridge": "vmbr0", "zone": "labs", "vnet": "lab"},
     "pvesh create /cluster/sdn/vnets --vnet lab41 --zone labs --tag 41", ("lab41", None)),
])  # fmt: skip
def test_many_networks_are_listed_with_the_lines_that_make_them(
    lena: Client, kind: str, more: dict[str, str], line: str, place: tuple[str, int | None]
):
    cluster()
    sent = {"cluster": "north", "kind": kind, "first": "40", "count": "3", "name": "Lab"} | more
    shown = lena.post("/admin/vms/leasablenetwork/many/", sent)
    assert line in shown.content.decode()
    assert not LeasableNetwork.objects.exists()
    lena.post("/admin/vms/leasablenetwork/many/", {"shown": signed(shown)})
    found = LeasableNetwork.objects.order_by("name").values_list("name", "bridge", "vlan")
    assert list(found)[1] == ("Lab 41", *place)
    again = lena.post("/admin/vms/leasablenetwork/many/", sent | {"count": "4"})
    assert "1 network will be listed" in again.content.decode()


def test_what_a_kind_of_network_needs_is_asked_for(lena: Client):
    cluster()
    sent = {"cluster": "north", "kind": "vnets", "first": "4000", "count": "200", "name": "Lab", "zone": "LABS"}
    answer = lena.post("/admin/vms/leasablenetwork/many/", sent)
    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {"bridge", "zone", "vnet", "count"}


def test_a_network_says_who_leases_it_and_is_then_not_deleted(lena: Client):
    web = template(cluster())
    group = class_of(User.objects.create_user("tess"), web.cluster).machine_set
    NetworkLease.objects.create(network=network(web, 1), machine_set=group, is_shared=True)
    assert "Networks 101</td>" in lena.get("/admin/vms/leasablenetwork/").content.decode()
    lena.post(f"/admin/vms/leasablenetwork/{LeasableNetwork.objects.get().pk}/delete/", {"post": "yes"})
    assert LeasableNetwork.objects.exists()


def test_a_quota_is_of_one_thing_and_says_what_is_in_use(lena: Client):
    north, group = cluster(), MachineSet.objects.create(name="Monday")
    both = lena.post("/admin/vms/quota/add/", {"cluster": "north", "machine_set": group.pk, "machines": "3"})
    assert "Choose a cluster, a machine group or a person." in both.content.decode()
    assert lena.post("/admin/vms/quota/add/", {"cluster": north.cluster_id, "machines": "3"}).status_code == 302
    page = lena.get(f"/admin/vms/quota/{Quota.objects.get().pk}/change/").content.decode()
    assert "machines: 0 / 3" in page


def test_a_quota_says_who_uses_what(lena: Client, ana: User):
    north = cluster()
    group = class_of(User.objects.create_user("tess"), north).machine_set
    vms = [machine(north, 7000), machine(north, 7001, status="running")]
    group.machines.add(*vms)
    Assignment.objects.create(vm=vms[1], user=ana)
    of_cluster = Quota.objects.create(cluster=north, machines=9, memory_mib=9999)
    of_group = Quota.objects.create(machine_set=group, running=9)
    page = lena.get(f"/admin/vms/quota/{of_cluster.pk}/change/").content.decode()
    assert "<li>Networks 101: machines: 2, MiB of memory: 4096</li>" in page
    page = lena.get(f"/admin/vms/quota/{of_group.pk}/change/").content.decode()
    assert "<li>ana: running machines: 1</li>" in page
