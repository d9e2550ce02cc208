"""What a real cluster does with clones besides making them: in the meantime, at the end, and when it goes wrong."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pvesim import Cluster, ManualClock, Simulator
from pvesim.seed import seed_provisioning
from tests.pvesim.conftest import Api, Clients
from tests.waits import TIMEOUT, wait_until

LOCAL, SHARED = "/nodes/pve1/qemu/111", "/nodes/pve1/qemu/112"
NEW = "/nodes/pve1/qemu/300"
NOTES = "lab-portal: 0b9c1b9e-8c2b-4f6a-9a51-3d5c7e0e2a11\nSecond line ü % #"


@pytest.fixture
def lab(sim: Simulator) -> Cluster:
    cluster = sim.add_cluster("lab-a", nodes=("pve1", "pve2"), statd_interval=0.0)
    cluster.add_user("boss@pve", password="boss-pw", acl={"/": "Administrator"})
    seed_provisioning(cluster)
    return cluster


@pytest.fixture
def maker(lab: Cluster, clients: Clients) -> Api:
    return clients.make(lab, headers=lab.token("prov@pve!class").headers)


@pytest.fixture
def clone(boss: Api, clock: ManualClock) -> Callable[..., str]:
    """Makes machine 300 and gives the exit status of the task."""

    def make(source: str = LOCAL, **form: object) -> str:
        upid = boss.start(f"{source}/clone", **{"newid": 300, **form})
        clock.advance(30)
        return str(boss.task(upid)["exitstatus"])

    return make


def put(api: Api, path: str, **form: object) -> str:
    """The reason of the answer."""
    return str(api.call("PUT", path, data=form).reason)


def test_meanwhile_it_is_locked_without_a_disk_and_in_no_pool(lab: Cluster, maker: Api, boss: Api, clock: ManualClock):
    upid = maker.start(f"{LOCAL}/clone", newid=300, name="s-1", description=NOTES, pool="prov")
    config = boss.data(f"{NEW}/config")
    assert (config["lock"], config["name"], config["description"]) == ("clone", "s-1", NOTES)
    assert "scsi0" not in config
    assert lab.access.pools.members("prov") == []
    assert maker.get(f"{NEW}/config").status_code == 403
    clock.advance(2)
    assert maker.task(upid)["exitstatus"] == "OK"
    assert "scsi0" in maker.data(f"{NEW}/config")
    assert lab.access.pools.members("prov") == [300]


def test_with_a_target_it_lies_where_its_template_is_until_the_end(lab: Cluster, boss: Api, clock: ManualClock):
    boss.start(f"{SHARED}/clone", newid=300, target="pve2", full=1)
    assert lab.guest(300).node == "pve1"
    clock.advance(10)
    assert lab.guest(300).node == "pve2"


def test_a_killed_worker_leaves_what_only_root_can_take_away(lab: Cluster, boss: Api, clone: Callable[..., str]):
    lab.faults.clones_die()
    assert clone(full=1) == "unexpected status"
    assert boss.data(f"{NEW}/config")["lock"] == "clone"
    assert lab.guest(300).allocated == lab.guest(111).maxdisk // 2
    assert put(boss, f"{NEW}/config", delete="lock") == "only root can set 'lock' config"
    assert boss.call("DELETE", NEW).status_code == 200
    assert clone(newid=301) == "OK"


def test_a_locked_leftover_is_not_destroyed(boss: Api, lab: Cluster, clone: Callable[..., str], clock: ManualClock):
    lab.faults.clones_die()
    clone()
    upid = boss.call("DELETE", NEW).json()["data"]
    clock.advance(20)
    assert boss.task(upid)["exitstatus"] == "VM is locked (clone)"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"lock": "storage"}, "pve-storage-data' - got timeout"),
        ({"lock": "template"}, "lock-111.conf' - got timeout"),
        ({"lock": "new"}, "' - got timeout"),
    ],
)
def test_a_lock_of_somebody_else_leaves_nothing(
    lab: Cluster, clone: Callable[..., str], fault: dict[str, str], text: str
):
    lab.faults.clones_meet_a_lock(**fault)
    assert text in clone()
    assert 300 not in lab.statd.guests
    assert clone() == "OK"


def test_an_id_that_is_taken_elsewhere_shows_in_the_task(lab: Cluster, clone: Callable[..., str]):
    lab.add_guest(300, "foreign", node="pve2")
    assert "File exists" in clone()
    assert lab.guest(300).name == "foreign"
    lab.faults.ids_taken()
    assert "File exists" in clone(newid=301)


def test_a_full_storage_fails_the_task_and_leaves_nothing(lab: Cluster, clone: Callable[..., str]):
    lab.faults.storage_full()
    assert clone(full=1).startswith("clone failed")
    assert 300 not in lab.statd.guests
    lab.faults.undo()
    assert clone(full=1) == "OK"


def test_a_clone_that_fails_leaves_nothing_and_the_next_one_succeeds(lab: Cluster, clone: Callable[..., str]):
    lab.faults.clones_fail()
    assert "copy failed" in clone()
    assert 300 not in lab.statd.guests
    assert clone() == "OK"


def test_a_full_clone_takes_room_where_it_lies(boss: Api, clone: Callable[..., str], clock: ManualClock):
    def room(node: str, storage: str) -> int:
        return int(boss.data(f"/nodes/{node}/storage/{storage}/status")["avail"])

    before = {(node, name): room(node, name) for node in ("pve1", "pve2") for name in ("data", "shared")}
    assert clone(full=1) == "OK"
    assert clone(SHARED, newid=301, full=1) == "OK"
    after = {place: room(*place) for place in before}
    taken = {place for place in before if after[place] < before[place]}
    assert taken == {("pve1", "data"), ("pve1", "shared"), ("pve2", "shared")}
    boss.call("DELETE", NEW)
    clock.advance(20)
    assert room("pve1", "data") == before["pve1", "data"]


def test_the_next_machine_of_a_number_has_another_identity(boss: Api, clone: Callable[..., str], clock: ManualClock):
    clone(description=NOTES)
    first = boss.data(f"{NEW}/config")
    boss.call("DELETE", NEW)
    clock.advance(20)
    clone(description=NOTES)
    second = boss.data(f"{NEW}/config")
    assert first["description"] == second["description"]
    assert first["smbios1"] != second["smbios1"]


def test_a_used_number_shows_the_dead_machine_in_the_list(sim: Simulator, clients: Clients, clock: ManualClock):
    lab = sim.add_cluster("lab-b")
    lab.add_user("boss@pve", password="boss-pw", acl={"/": "Administrator"})
    seed_provisioning(lab)
    boss = clients.make(lab, headers=lab.add_token("boss@pve", "all", privsep=False).headers)
    lab.add_guest(300, "dead", status="running")
    clock.advance(20)
    boss.start(f"{NEW}/status/stop")
    clock.advance(2)
    boss.call("DELETE", NEW)
    clock.advance(2)
    boss.start(f"{LOCAL}/clone", newid=300, name="fresh")
    clock.advance(2)
    assert (boss.row(300)["name"], boss.data(f"{NEW}/config")["name"]) == ("dead", "fresh")
    clock.advance(10)
    assert boss.row(300)["name"] == "fresh"


def test_a_protected_machine_is_not_destroyed(boss: Api, clone: Callable[..., str]):
    clone()
    put(boss, f"{NEW}/config", protection=1)
    assert boss.call("DELETE", NEW).reason == "can't remove VM 300 - protection mode enabled"


def test_settings_of_cloud_init_wait_for_a_start(boss: Api, clone: Callable[..., str], clock: ManualClock):
    clone()

    def pending() -> dict[str, object]:
        return {row["key"]: row.get("pending") for row in boss.data(f"{NEW}/cloudinit")}

    put(boss, f"{NEW}/config", ciuser="ana", cipassword="geheim")
    assert (pending()["ciuser"], pending()["cipassword"]) == ("ana", "**********")
    boss.start(f"{NEW}/status/start")
    clock.advance(5)
    assert set(pending().values()) == {None}


def test_a_password_is_hashed_but_not_in_windows(boss: Api, clone: Callable[..., str]):
    clone()
    put(boss, f"{NEW}/config", cipassword="geheim")
    assert boss.data(f"{NEW}/config")["cipassword"] == "**********"
    assert "geheim" not in boss.data(f"{NEW}/cloudinit/dump", type="user")
    put(boss, f"{NEW}/config", ostype="win11")
    put(boss, f"{NEW}/config", cipassword="geheim")
    assert "password: geheim" in boss.data(f"{NEW}/cloudinit/dump", type="user")


def test_the_token_of_a_class_may_not_change_the_hardware(maker: Api, clone: Callable[..., str]):
    clone(pool="prov")
    assert put(maker, f"{NEW}/config", net0="virtio,bridge=vmbr0", name="ana-1") == "OK"
    assert "vmbr1, SDN.Use" in put(maker, f"{NEW}/config", net0="virtio,bridge=vmbr1")
    assert "VM.Config.Memory" in put(maker, f"{NEW}/config", memory=64)
    assert "VM.Config.Disk" in put(maker, f"{NEW}/resize", disk="scsi0", size="+1G")
    assert "VM.Allocate" in maker.call("DELETE", LOCAL).reason


def test_a_hookscript_is_for_root_alone(lab: Cluster, boss: Api, clone: Callable[..., str]):
    lab.guest(111).options["hookscript"] = "local:snippets/hook.pl"
    clone()
    assert boss.data(f"{NEW}/config")["hookscript"] == "local:snippets/hook.pl"
    assert put(boss, f"{NEW}/config", delete="hookscript") == "only root can set 'hookscript' config"


def test_a_template_is_written_when_its_full_clone_has_ended(lab: Cluster, boss: Api, clock: ManualClock):
    """The one who writes waits; a linked clone holds nobody up."""
    boss.start(f"{LOCAL}/clone", newid=300, full=1)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(put, boss, f"{LOCAL}/config", description="Changed")
        wait_until(lambda: lab.count("PUT", "/111/config$") > 0)
        assert not written.done()
        assert lab.guest(111).description != "Changed"
        clock.advance(30)
        assert written.result(timeout=TIMEOUT) == "OK"
    assert boss.data(f"{LOCAL}/config")["description"] == "Changed"
    boss.start(f"{LOCAL}/clone", newid=301)
    assert put(boss, f"{LOCAL}/config", description="Again") == "OK"


def test_a_vnet_needs_its_own_zone(lab: Cluster, boss: Api, maker: Api, clone: Callable[..., str]):
    lab.vnets["students1"] = "labs"
    clone(pool="prov")
    lab.grant("/sdn/zones/localnetwork", "prov@pve", "PVESDNUser")
    lab.grant("/sdn/zones/localnetwork", "prov@pve!class", "PVESDNUser")
    card = {"net0": "virtio,bridge=students1"}
    assert put(maker, f"{NEW}/config", **card) == "Permission check failed (/sdn/zones/labs/students1, SDN.Use)"
    for holder in ("prov@pve", "prov@pve!class"):
        lab.grant("/sdn/zones/labs/students1", holder, "PVESDNUser")
    assert put(maker, f"{NEW}/config", **card) == "OK"
