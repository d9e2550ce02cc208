"""What the simulated cluster says for a plan, and a class from its plan to its students' machines."""

import pytest

from accounts.models import User
from classes.enrolment import made_machines, membership
from classes.enrolment.made_machines import Order
from clusters import proxmox
from clusters.models import ProvisioningAccess
from clusters.proxmox import results
from tests.published import class_of
from tests.workshop import POOL, TEMPLATE, Workshop
from vms.models import Assignment, MadeMachine
from vms.provisioning import facts


def test_a_cluster_tells_its_nodes_room_and_vmids(workshop: Workshop):
    workshop.pve.add_guest(5003, name="Somebody-Else", node="pve2", status="running")
    said = facts.read(workshop.template)
    assert [(node.name, node.is_online) for node in said.nodes] == [("pve1", True), ("pve2", True)]
    one, other = said.nodes
    assert one.memory_free
    assert one.memory_free <= (one.memory or 0)
    assert (one.cores_running, other.cores_running > 0) == (0, True)
    assert one.storages["data"].is_usable
    assert one.storages["data"].free < one.storages["data"].total
    assert said.vmids == {TEMPLATE, TEMPLATE + 1, 5003}
    assert "somebody-else" in said.names


def test_a_node_without_a_copy_is_not_asked(workshop: Workshop):
    workshop.template.copies.filter(node="pve2").delete()
    assert [node.name for node in facts.read(workshop.template).nodes] == ["pve1"]
    assert workshop.pve.count("GET", "/nodes/pve2/") == 0


@pytest.mark.parametrize("trouble", ["off", "no token"])
def test_a_cluster_that_cannot_be_asked_is_said_in_words(workshop: Workshop, trouble: str):
    if trouble == "off":
        workshop.row.deactivate()
    else:
        ProvisioningAccess.objects.update(is_enabled=False)
    with pytest.raises(facts.NotReadable, match=r"\w+ \w+"):
        facts.read(workshop.template)


def test_disks_tell_whose_they_are():
    listed = [{"volid": "data:5001/vm-5001-disk-0.qcow2", "vmid": 5001}, {"volid": "x", "vmid": "5002"}, {"vmid": None}]
    assert results.disk_owners(listed) == {5001, 5002}


def test_a_vmid_that_left_a_disk_behind_is_passed_over(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proxmox.Maker, "disk_owners", lambda *_where: frozenset({5001}))
    assert 5001 in facts.read(workshop.template).vmids


def test_a_class_gets_what_its_plan_said(workshop: Workshop, ana: User):
    tess = User.objects.create_user("tess")
    made = class_of(tess, workshop.row, pool=POOL)
    membership.add_people(made, [ana], at_once=True)
    wanted = Order(workshop.template.pk, (ana.pk,), 1, "template")
    shown = made_machines.plan(made, wanted, by=tess)
    made_machines.apply(made, wanted, by=tess, expected=shown.digest)
    workshop.work()
    assert {one.state for one in MadeMachine.objects.all()} == {"ready"}
    assert Assignment.objects.live().get().user == ana
    names = made.class_machines.order_by("vm__vmid").values_list("vm__name", "vm__vmid", "vm__node")
    assert list(names) == [(row.name, row.vmid, row.node) for row in shown.rows]


def test_a_node_that_died_since_the_list_was_made_counts_as_offline(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
):
    asked = proxmox.Maker.storages

    def storages(maker: proxmox.Maker, node: str) -> tuple[proxmox.StorageStatus, ...]:
        if node == "pve2":
            raise proxmox.NodeDown(node, status=595, reason="No route to host")
        return asked(maker, node)

    monkeypatch.setattr(proxmox.Maker, "storages", storages)
    found = [(node.name, node.is_online) for node in facts.read(workshop.template).nodes]
    assert found == [("pve1", True), ("pve2", False)]
