from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api

GOLDEN, DB = "/nodes/pve1/qemu/110", "/nodes/pve1/qemu/102"


def finish(api: Api, clock: ManualClock, upid: str) -> str:
    clock.advance(10)
    return str(api.task(upid)["exitstatus"])


def test_a_clone_is_locked_while_it_is_made(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{GOLDEN}/clone", newid=300, name="copy", pool="labs")
    assert upid.split(":")[5:7] == ["qmclone", "110"]
    assert boss.row(300)["lock"] == "clone"
    assert finish(boss, clock, upid) == "OK"
    row = boss.row(300)
    assert (row["name"], row["pool"], row["status"], row["template"]) == ("copy", "labs", "stopped", 0)
    assert "lock" not in row


def test_a_clone_without_a_name_is_called_a_copy(lab: Cluster, boss: Api) -> None:
    boss.start(f"{GOLDEN}/clone", newid=300)
    assert lab.guest(300).name == "Copy-of-VM-golden"


def test_a_clone_of_a_template_stands_on_its_disk_unless_it_is_full(boss: Api, clock: ManualClock) -> None:
    for newid, full in ((300, 0), (301, 1)):
        finish(boss, clock, boss.start(f"{GOLDEN}/clone", newid=newid, full=full))
    assert "base-110" in boss.data("/nodes/pve1/qemu/300/config")["scsi0"]
    assert "base-110" not in boss.data("/nodes/pve1/qemu/301/config")["scsi0"]


def test_a_used_id_is_refused(boss: Api) -> None:
    answer = boss.post(f"{GOLDEN}/clone", newid=101)
    assert (answer.status_code, answer.reason) == (
        500,
        "unable to create VM 101: config file already exists",
    )


def test_a_clone_needs_privileges_on_template_pool_storage_and_bridge(lab: Cluster, pupil: Api) -> None:
    assert "VM.Clone" in pupil.post("/nodes/pve1/qemu/101/clone", newid=300).reason
    lab.grant(f"/vms/{110}", "pupil@pve", "PVETemplateUser")
    assert pupil.post(f"{GOLDEN}/clone", newid=300).reason == "Permission check failed"
    lab.grant("/pool/labs", "pupil@pve", "PVEVMAdmin")
    refused = pupil.post(f"{GOLDEN}/clone", newid=300, pool="labs")
    assert refused.reason == "Permission check failed (/storage/data, Datastore.AllocateSpace)"
    lab.grant("/storage/data", "pupil@pve", "PVEDatastoreUser")
    refused = pupil.post(f"{GOLDEN}/clone", newid=300, pool="labs")
    assert refused.reason == "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
    lab.grant("/sdn/zones/localnetwork", "pupil@pve", "PVESDNUser")
    assert pupil.post(f"{GOLDEN}/clone", newid=300, pool="labs").status_code == 200


def test_an_unknown_pool_is_forbidden(boss: Api) -> None:
    answer = boss.post(f"{GOLDEN}/clone", newid=300, pool="nowhere")
    assert (answer.status_code, "does not exist" in answer.reason) == (403, True)


def test_an_aborted_clone_leaves_nothing(lab: Cluster, boss: Api) -> None:
    upid = boss.start(f"{GOLDEN}/clone", newid=300)
    boss.call("DELETE", f"/nodes/pve1/tasks/{upid}")
    assert 300 not in {guest.vmid for guest in lab.guests}


def test_a_destroyed_guest_is_gone(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    upid = boss.call("DELETE", DB).json()["data"]
    assert finish(boss, clock, upid) == "OK"
    assert 102 not in {guest.vmid for guest in lab.guests}
    assert 102 not in lab.access.pools.members("labs")


def test_a_running_guest_is_not_destroyed(boss: Api) -> None:
    answer = boss.call("DELETE", "/nodes/pve1/qemu/101")
    assert (answer.status_code, answer.reason) == (500, "VM 101 is running - destroy failed")


def test_a_template_with_linked_clones_stays(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    finish(boss, clock, boss.start(f"{GOLDEN}/clone", newid=300))
    upid = boss.call("DELETE", GOLDEN).json()["data"]
    assert "still in use" in finish(boss, clock, upid)
    assert lab.guest(110).template


def test_a_change_of_configuration_changes_the_digest(boss: Api) -> None:
    before = boss.data(f"{DB}/config")["digest"]
    answer = boss.call("PUT", f"{DB}/config", data={"description": "new", "tags": "a b", "digest": before})
    assert answer.json() == {"data": None}
    after = boss.data(f"{DB}/config")
    assert (after["description"], after["tags"]) == ("new", "a;b")
    assert after["digest"] != before
    stale = boss.call("PUT", f"{DB}/config", data={"cores": 2, "digest": before})
    assert stale.reason == "checksum mismatch (file change by other user?)"


def test_a_change_needs_the_privilege_of_its_area(pupil: Api) -> None:
    answer = pupil.call("PUT", "/nodes/pve1/qemu/101/config", data={"memory": 64})
    assert answer.reason == "Permission check failed (/vms/101, VM.Config.Memory)"


def test_a_boolean_is_one_or_zero(boss: Api) -> None:
    for value, status in (("True", 400), ("yes", 400), ("1", 200), ("0", 200)):
        assert boss.call("PUT", f"{DB}/config", data={"onboot": value}).status_code == status


def test_a_posted_change_is_a_task(boss: Api, clock: ManualClock) -> None:
    upid = boss.start(f"{DB}/config", cores=4)
    assert finish(boss, clock, upid) == "OK"
    assert boss.status(102)["cpus"] == 4


def test_a_new_machine_is_made_once(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    assert finish(boss, clock, boss.start("/nodes/pve2/qemu", vmid=400, name="fresh", cores=2)) == "OK"
    assert (lab.guest(400).node, lab.guest(400).name, lab.guest(400).maxcpu) == ("pve2", "fresh", 2)
    again = boss.post("/nodes/pve1/qemu", vmid=400)
    assert again.reason == "unable to create VM 400 - VM 400 already exists on node 'pve2'"
