"""What each verb asks, and what it makes of the answer."""

from dataclasses import replace

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import ClusterStatus, NodeState, Power, TaskStatus
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster
from pvesim.simulator import Simulator
from tests.waits import TIMEOUT


def test_version(pve: proxmox.Client) -> None:
    assert pve.version() == proxmox.Version(version="9.2.11", release="9.2")


def test_cluster_status_names_the_node_that_answered(pve: proxmox.Client, lab: Cluster) -> None:
    nodes = (
        NodeState("pve1", online=True, local=True, address="10.77.0.11"),
        NodeState("pve2", online=True, address="10.77.0.12"),
    )
    assert pve.cluster_status() == ClusterStatus(name=lab.name, quorate=True, nodes=nodes)


def test_cluster_status_without_quorum(pve: proxmox.Client, lab: Cluster) -> None:
    lab.stop_node("pve2")
    status = pve.cluster_status()
    assert not status.quorate
    assert [node.online for node in status.nodes] == [True, False]


def test_a_standalone_node_is_a_quorate_cluster_of_its_own_name(sim: Simulator, config: ClusterConfig) -> None:
    solo = sim.add_cluster("alone", nodes=("solo",), standalone=True)
    solo.add_user("portal@pve", password="p", acl={"/": "Administrator"})
    there = replace(config, port=solo.port, fingerprint=solo.fingerprint(), token_id="", password=Secret("p"))
    with proxmox.connect(there) as pve:
        status = pve.cluster_status()
    sim.remove_cluster("alone")
    assert (status.name, status.quorate, [node.name for node in status.nodes]) == ("solo", True, ["solo"])


def test_resources_are_read_in_one_call(pve: proxmox.Client, lab: Cluster) -> None:
    answer = pve.resources()
    assert {guest.vmid for guest in answer.guests} == {101, 102, 200}
    assert {node.name for node in answer.nodes} == {"pve1", "pve2"}
    assert answer.rejected == 0
    assert lab.count() == 1


def test_a_guest_in_full(pve: proxmox.Client) -> None:
    guest = next(guest for guest in pve.resources().guests if guest.vmid == 101)
    assert (guest.kind, guest.node, guest.name, guest.status) == ("qemu", "pve1", "web", "running")
    assert (guest.pool, guest.tags, guest.template, guest.lock) == ("labs", ("lab", "web"), False, "")
    assert (guest.cpus, guest.memory, guest.disk) == (1.0, 2**30, 8 * 2**30)


def test_a_guest_of_a_lost_node_becomes_nameless_and_unknown(
    pve: proxmox.Client, lab: Cluster, clock: ManualClock
) -> None:
    lab.stop_node("pve2")
    clock.advance(301)
    guest = next(guest for guest in pve.resources().guests if guest.vmid == 102)
    assert (guest.name, guest.status, guest.memory) == ("", "unknown", 0)


def test_a_paused_machine_is_paused_in_the_list_and_running_in_its_status(
    pve: proxmox.Client, lab: Cluster, clock: ManualClock
) -> None:
    pve.power("pve1", "qemu", 101, Power.SUSPEND)
    clock.advance(2)
    assert {guest.status for guest in pve.resources().guests if guest.vmid == 101} == {"paused"}
    status = pve.guest_status("pve1", "qemu", 101)
    assert (status.status, status.qmp_status, status.name, status.ha_managed) == ("running", "paused", "web", False)


def test_the_status_of_a_container_has_no_qmp_status(pve: proxmox.Client) -> None:
    status = pve.guest_status("pve1", "lxc", 200)
    assert (status.status, status.qmp_status, status.uptime) == ("stopped", "", 0)


def test_a_user_with_a_backslash_may_do_all_that_others_may(
    config: ClusterConfig, lab: Cluster, clock: ManualClock
) -> None:
    lab.add_user("LAB\\portal@pve", password="p", acl={"/": "Administrator"})
    theirs = replace(config, user="LAB\\portal@pve", token_id="", token_secret=None, password=Secret("p"))
    with proxmox.connect(theirs) as pve:
        upid = pve.power("pve2", "qemu", 102, Power.START)
        clock.advance(10)
        assert pve.task_status(upid).succeeded


def test_a_power_action_is_a_task_that_succeeds(pve: proxmox.Client, lab: Cluster, clock: ManualClock) -> None:
    upid = pve.power("pve2", "qemu", 102, Power.START)
    assert pve.task_status(upid) == TaskStatus(running=True, exit_status="")
    clock.advance(10)
    assert pve.task_status(upid).succeeded
    assert lab.guest(102).status == "running"


def test_a_task_that_fails_says_why(pve: proxmox.Client, clock: ManualClock) -> None:
    upid = pve.power("pve1", "qemu", 101, Power.START)
    clock.advance(10)
    task = pve.task_status(upid)
    assert (task.running, task.succeeded, task.exit_status) == (False, False, "VM 101 already running")
    assert pve.task_log(upid)[-1] == "TASK ERROR: VM 101 already running"


def test_the_log_is_asked_for_with_a_limit(pve: proxmox.Client, lab: Cluster) -> None:
    upid = pve.power("pve1", "qemu", 101, Power.STOP)
    assert pve.task_log(upid, limit=7) == ()
    assert "limit=7" in lab.requests[-1].query


@pytest.mark.parametrize("action", list(Power))
def test_every_action_is_posted_to_its_path(pve: proxmox.Client, lab: Cluster, action: Power) -> None:
    pve.power("pve1", "qemu", 101, action)
    assert lab.count(method="POST", path_regex=f"^/nodes/pve1/qemu/101/status/{action.value}$") == 1


def test_a_upid_says_where_what_and_who(pve: proxmox.Client, token: object) -> None:
    upid = proxmox.parse_upid(pve.power("pve2", "qemu", 102, Power.START))
    assert upid == proxmox.Upid(node="pve2", type="qmstart", guest_id="102", user="portal@pve!labs")


def test_permissions_count_what_is_named(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/access/permissions", body='{"data":{"/":{"Sys.Audit":0},"/vms":{"VM.Audit":1}}}')
    assert pve.permissions() == {"/": frozenset({"Sys.Audit"}), "/vms": frozenset({"VM.Audit"})}


def test_diagnosis(config: ClusterConfig) -> None:
    found = proxmox.diagnose(config)
    assert (found.version, found.nodes, found.quorate) == ("9.2.11", ("pve1", "pve2"), True)
    assert 0 < found.seconds < TIMEOUT


def test_diagnosis_without_the_right_to_see_the_cluster(config: ClusterConfig, lab: Cluster) -> None:
    lab.revoke("/", "portal@pve")
    found = proxmox.diagnose(config)
    assert (found.nodes, found.quorate) == (("pve1", "pve2"), None)
