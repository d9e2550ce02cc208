"""What a cluster declines, as errors that callers can tell apart and people can read."""

import pytest

from clusters import proxmox
from clusters.proxmox import Power
from pvesim.cluster import Cluster

GONE = "UPID:pve1:0003A1F2:01B2C3D4:69223A10:qmstart:100:portal@pve!labs:"


def refusal(pve: proxmox.Client, lab: Cluster, status: int, reason: str = "", body: str = "") -> proxmox.ProxmoxError:
    lab.faults.reply("status/current", status=status, reason=reason, body=body)
    with pytest.raises(proxmox.ProxmoxError) as caught:
        pve.guest_status("pve1", "qemu", 101)
    return caught.value


def test_a_missing_privilege_is_named(pve: proxmox.Client, lab: Cluster) -> None:
    lab.revoke("/", "portal@pve")
    with pytest.raises(proxmox.PermissionMissing) as caught:
        pve.power("pve1", "qemu", 101, Power.STOP)
    assert (caught.value.path, caught.value.privilege) == ("/vms/101", "VM.PowerMgmt")
    assert "lacks VM.PowerMgmt on /vms/101" in caught.value.plain
    assert lab.guest(101).status == "running"


@pytest.mark.parametrize(
    ("reason", "path", "privilege"),
    [
        ("Permission check failed (/vms/1, VM.Audit|VM.Config.Disk)", "/vms/1", "VM.Audit|VM.Config.Disk"),
        ("Permission check failed (/, Sys.Audit)", "/", "Sys.Audit"),
        ("Permission check failed (pool 'x' does not exist)", "", ""),
        ("user != root@pam", "", ""),
        ("", "", ""),
    ],
)
def test_forbidden_in_other_words(pve: proxmox.Client, lab: Cluster, reason: str, path: str, privilege: str) -> None:
    error = refusal(pve, lab, 403, reason)
    assert isinstance(error, proxmox.PermissionMissing)
    assert (error.path, error.privilege, error.reason) == (path, privilege, reason)


def test_a_guest_that_is_not_there(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.GuestGone, match="not on this node") as caught:
        pve.guest_status("pve1", "qemu", 999)
    assert caught.value.status == 500


def test_a_guest_on_another_node(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.GuestGone, match="moved"):
        pve.power("pve1", "qemu", 102, Power.START)


def test_a_node_that_is_not_there(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.NotFound) as caught:
        pve.guest_status("ghost", "qemu", 101)
    assert not isinstance(caught.value, proxmox.GuestGone)


def test_a_task_that_is_forgotten(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.NotFound) as caught:
        pve.task_status(GONE)
    assert caught.value.status == 400


def test_a_task_of_a_strange_user_stays_within_its_path(pve: proxmox.Client, lab: Cluster) -> None:
    strange = GONE.replace("portal@pve!labs", "a?b#c%2f..%@pve")
    with pytest.raises(proxmox.NotFound):
        pve.task_status(strange)
    assert lab.requests[-1].path == f"/nodes/pve1/tasks/{strange}/status"


def test_parameters_that_are_wrong(pve: proxmox.Client, lab: Cluster) -> None:
    body = '{"data":null,"errors":{"vmid":"type check failed\\n"},"message":"Parameter verification failed.\\n"}'
    error = refusal(pve, lab, 400, "Parameter verification failed.", body)
    assert isinstance(error, proxmox.BadParameter)
    assert error.errors == {"vmid": "type check failed"}
    assert "vmid: type check failed" in error.plain


@pytest.mark.parametrize("body", ["", "[1,2]", "nonsense", '{"errors":[1]}', '{"errors":{"a":{"b":1}}}', "\x00\xff"])
def test_an_error_whose_body_is_nonsense_is_still_that_error(pve: proxmox.Client, lab: Cluster, body: str) -> None:
    error = refusal(pve, lab, 400, "Parameter verification failed.", body)
    assert isinstance(error, proxmox.BadParameter)


def test_what_the_cluster_refuses_is_told_in_its_words(pve: proxmox.Client, lab: Cluster) -> None:
    lab.disconnect_node("pve2")
    lab.faults.reply("status/start", status=500, reason="cluster not ready - no quorum?", body='{"data":null}')
    with pytest.raises(proxmox.NoQuorum, match="no quorum") as caught:
        pve.power("pve1", "qemu", 101, Power.START)
    assert caught.value.reason == "cluster not ready - no quorum?"


@pytest.mark.parametrize(
    "reason",
    [
        "cluster not ready - no quorum?",
        "create user failed: cfs-lock 'file-user_cfg' error: no quorum!",
        "unable to open file '/etc/pve/nodes/pve1/qemu-server/102.conf.tmp.97' - Permission denied",
    ],
)
def test_a_cluster_without_quorum(pve: proxmox.Client, lab: Cluster, reason: str) -> None:
    error = refusal(pve, lab, 500, reason)
    assert type(error) is proxmox.NoQuorum
    assert isinstance(error, proxmox.Refused)


@pytest.mark.parametrize(
    ("reason", "lock"),
    [
        ("VM is locked (backup)", "backup"),
        ("CT is locked (snapshot-delete)", "snapshot-delete"),
        ("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", ""),
    ],
)
def test_a_guest_that_is_busy(pve: proxmox.Client, lab: Cluster, reason: str, lock: str) -> None:
    error = refusal(pve, lab, 500, reason)
    assert isinstance(error, proxmox.Locked)
    assert error.lock == lock
    with pytest.raises(proxmox.TaskFailed) as caught:
        proxmox.TaskStatus(running=False, exit_status=reason).raise_if_failed()
    assert caught.value.locked


def test_an_action_that_containers_do_not_know(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.Refused) as caught:
        pve.power("pve1", "lxc", 200, Power.RESET)
    assert caught.value.status == 501


def test_a_node_that_is_down_is_named(pve: proxmox.Client, lab: Cluster) -> None:
    lab.stop_node("pve2")
    with pytest.raises(proxmox.NodeDown) as caught:
        pve.guest_status("pve2", "qemu", 102)
    assert (caught.value.node, caught.value.status, caught.value.sent) == ("pve2", 595, False)
    assert "No route to host" in caught.value.plain


def test_a_service_that_is_down_behind_its_own_entry(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply("/cluster/status", status=595, reason="Connection refused")
    with pytest.raises(proxmox.NodeDown, match="own service") as caught:
        pve.cluster_status()
    assert caught.value.node == ""


@pytest.mark.parametrize("status", [402, 404, 429, 502, 503, 504, 506, 594, 600, 999])
def test_a_status_that_proxmox_does_not_use(pve: proxmox.Client, lab: Cluster, status: int) -> None:
    assert isinstance(refusal(pve, lab, status), proxmox.ProtocolError)


def test_a_reason_in_any_language(pve: proxmox.Client, lab: Cluster) -> None:
    assert refusal(pve, lab, 500, "Größe überschritten: 日本").reason == "Größe überschritten: 日本"


def test_a_reason_loses_control_characters_and_length(pve: proxmox.Client, lab: Cluster) -> None:
    reason = refusal(pve, lab, 500, "\x1b[31mred\x07\x00 " + "x" * 4000).reason
    assert reason.startswith("[31mred")
    assert reason.isprintable()
    assert len(reason) == 300


@pytest.mark.parametrize(
    ("node", "kind", "vmid"),
    [
        ("../access", "qemu", 101), ("pve1/..", "qemu", 101), ("pve1?x=1", "qemu", 101), ("pve1#", "qemu", 101),
        ("pve1%2f", "qemu", 101), ("", "qemu", 101), ("-pve1", "qemu", 101), ("pve1\n", "qemu", 101),
        ("pvé", "qemu", 101), ("pve1", "openvz", 101), ("pve1", "qemu/..", 101), ("pve1", "", 101),
        ("pve1", "qemu", 99), ("pve1", "qemu", 10**9), ("pve1", "qemu", -101), ("pve1", "qemu", True),
        ("pve1", "qemu", "101"), ("pve1", "qemu", "../101"), ("pve1", "qemu", 101.5),
    ],
)  # fmt: skip
def test_what_is_no_path_part_is_not_sent(pve: proxmox.Client, lab: Cluster, node: str, kind: str, vmid: int) -> None:
    with pytest.raises(proxmox.BadParameter) as caught:
        pve.power(node, kind, vmid, Power.STOP)
    assert not caught.value.sent
    assert lab.count() == 0


def test_a_library_left_alone_would_leave_the_path(pve: proxmox.Client, lab: Cluster) -> None:
    pve._api("nodes")("../access/permissions").get()
    assert lab.requests[-1].path == "/access/permissions"


@pytest.mark.parametrize("upid", ["", "UPID:../../access:", GONE.replace("pve1", "..")])
def test_what_is_no_task_is_not_asked_for(pve: proxmox.Client, lab: Cluster, upid: str) -> None:
    with pytest.raises(proxmox.ProtocolError):
        pve.task_status(upid)
    assert lab.count() == 0


def test_every_error_is_one_of_ours() -> None:
    kinds = [kind for kind in vars(proxmox).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    assert all(issubclass(kind, proxmox.ProxmoxError) for kind in kinds)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("unable to create VM 300: config file already exists", proxmox.IdTaken),
        ("unable to create VM 300 - VM 300 already exists on node 'pve2'", proxmox.IdTaken),
        ("close (rename) atomic file '/etc/pve/nodes/a/qemu-server/300.conf' failed: File exists", proxmox.IdTaken),
        ("clone failed: disk image '/x/300/vm-300-cloudinit.qcow2' already exists", proxmox.IdTaken),
        ("clone failed: can't lock file '/var/lock/pve-manager/pve-storage-data' - got timeout", proxmox.StorageBusy),
        ("can't lock file '/var/lock/qemu-server/lock-300.conf' - got timeout", proxmox.StorageBusy),
        ("VM is locked (clone)", proxmox.Locked),
        ("VM 300 is running - destroy failed", proxmox.StillRunning),
        ("can't remove VM 300 - protection mode enabled", proxmox.Protected),
        ("checksum mismatch (file change by other user?)", proxmox.ChecksumMismatch),
        ("unable to find configuration file for VM 300 on node 'pve1'", proxmox.GuestGone),
        ("can't clone VM to node 'pve2' (VM uses local storage)", proxmox.Refused),
    ],
)
def test_what_making_machines_meets(pve: proxmox.Client, lab: Cluster, reason: str, kind: type[proxmox.ProxmoxError]):
    """At once, or as the end of a task: the same text means the same."""
    assert type(refusal(pve, lab, 500, reason)) is kind
    of_task = type(proxmox.task_error(reason))
    assert of_task is (proxmox.TaskFailed if kind in (proxmox.Refused, proxmox.GuestGone) else kind)
