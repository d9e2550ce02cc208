"""What the portal asks and changes about one guest, against a simulated cluster."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import Power
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster

WEB = ("pve1", "qemu", 101)
BOX = ("pve1", "lxc", 200)
VNC = "^/nodes/pve1/qemu/101/vncproxy$"
VNC_UPID = "UPID:pve1:000003D5:0002E867:6B036674:vncproxy:101:portal@pve!labs:"


@pytest.fixture
def done(pve: proxmox.Client, clock: ManualClock) -> Iterator[object]:
    """Whether a task that was begun succeeds, after a while."""

    def ends_well(upid: str) -> bool:
        clock.advance(60)
        return pve.task_status(upid).succeeded

    return ends_well


def test_a_configuration(pve: proxmox.Client) -> None:
    config = pve.guest_config(*WEB)
    assert (config.name, config.cores, config.memory, config.tags) == ("web", 1, 1024, ("lab", "web"))
    assert len(config.macs) == 1
    assert config.options["name"] == "web"
    assert not config.template


def test_the_configuration_of_a_container(pve: proxmox.Client) -> None:
    config = pve.guest_config(*BOX)
    assert (config.name, config.agent) == ("box", False)


def test_the_configuration_as_it_is_now(pve: proxmox.Client, lab: Cluster) -> None:
    pve.guest_config(*WEB, current=True)
    assert lab.requests[-1].query == "current=1"


def test_what_is_pending(pve: proxmox.Client, lab: Cluster) -> None:
    rows = [
        {"key": "memory", "value": "64", "pending": "96"},
        {"key": "cores", "value": 1},
        {"key": "net1", "value": "virtio=x", "delete": 1},
        {"key": "cipassword", "value": "**********", "pending": "**********"},
    ]
    assert pve.pending(*WEB) == ()
    lab.faults.reply("/pending", body=json.dumps({"data": rows}))
    memory, net = pve.pending(*WEB)
    assert (memory.option, memory.now, memory.then, memory.deleted) == ("memory", "64", "96", False)
    assert (net.option, net.then, net.deleted) == ("net1", "", True)


def test_snapshots_make_a_tree(pve: proxmox.Client, done: object) -> None:
    assert done(pve.create_snapshot(*WEB, "first", description="one\ntwo"))
    assert done(pve.create_snapshot(*WEB, "second"))
    assert done(pve.roll_back(*WEB, "first"))
    assert done(pve.create_snapshot(*WEB, "other"))
    found = pve.snapshots(*WEB)
    assert [(one.name, one.parent, one.depth) for one in found.all] == [
        ("first", "", 0),
        ("second", "first", 1),
        ("other", "first", 1),
    ]
    assert (found.current, found.all[0].description, found.rejected) == ("other", "one\ntwo", 0)


def test_a_snapshot_is_deleted(pve: proxmox.Client, done: object) -> None:
    done(pve.create_snapshot(*WEB, "first"))
    assert done(pve.delete_snapshot(*WEB, "first"))
    assert pve.snapshots(*WEB).all == ()


def test_a_rollback_may_start_the_guest(pve: proxmox.Client, lab: Cluster, done: object) -> None:
    done(pve.create_snapshot(*WEB, "first"))
    done(pve.roll_back(*WEB, "first", start=True))
    assert lab.guest(101).status == "running"
    assert lab.requests[-2].form == "start=1"


@pytest.mark.parametrize("name", ["", "x", "1st", "current", "Pending", "a b", "a/b", "../x", "é" * 3, "a" * 41, "a\n"])
def test_what_is_no_name_of_a_snapshot_is_not_sent(pve: proxmox.Client, lab: Cluster, name: str) -> None:
    for change in (pve.create_snapshot, pve.roll_back, pve.delete_snapshot):
        with pytest.raises(proxmox.BadParameter) as caught:
            change(*WEB, name)
        assert not caught.value.sent
    assert lab.count() == 0


def test_the_next_number_comes_as_text(pve: proxmox.Client, lab: Cluster) -> None:
    assert pve.next_id() == 100
    lab.faults.reply("/cluster/nextid", body='{"data":"99"}')
    with pytest.raises(proxmox.ProtocolError):
        pve.next_id()


@pytest.mark.parametrize("form", ["by query", "by path"])
def test_a_pool_has_members(pve: proxmox.Client, lab: Cluster, form: str) -> None:
    if form == "by path":
        refused = '{"data":null,"errors":{"poolid":"property is not defined in schema"}}'
        rows = '{"data":[{"poolid":"labs"}]}'
        lab.faults.reply("^/pools$", body=rows, times=1)
        lab.faults.reply("^/pools$", status=400, reason="Parameter verification failed.", body=refused, times=1)
    found = pve.pool("labs")
    assert (found.name, [guest.vmid for guest in found.guests], found.rejected) == ("labs", [101], 0)
    assert lab.count() == (3 if form == "by path" else 2)


def test_a_pool_that_one_may_not_see_is_none(config: ClusterConfig, lab: Cluster) -> None:
    bare = lab.add_token("portal@pve", "bare")
    there = replace(config, token_id=bare.full_id, token_secret=type(config.token_secret)(bare.secret))
    with proxmox.connect(there) as pve, pytest.raises(proxmox.NotFound, match="may not see"):
        pve.pool("labs")
    assert lab.count(path_regex="^/pools") == 1


def test_pools_are_listed(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_pool("staff", comment="theirs")
    assert set(pve.pools()) == {proxmox.Pool("labs", ""), proxmox.Pool("staff", "theirs")}


def test_the_addresses_of_a_machine(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_guest(300, node="pve1", status="running", agent="alive", addresses=("10.0.5.7", "fd00::7"))
    found = [address for interface in pve.interfaces("pve1", "qemu", 300) for address in interface.addresses]
    assert {"10.0.5.7", "fd00::7"} <= set(found)


def test_an_agent_that_does_not_run(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.Refused, match="agent"):
        pve.interfaces(*WEB)


def test_the_addresses_of_a_container(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_guest(301, node="pve1", kind="lxc", status="running", addresses=("10.0.5.8",))
    found = [address for interface in pve.interfaces("pve1", "lxc", 301) for address in interface.addresses]
    assert "10.0.5.8" in found
    assert pve.interfaces(*BOX) == ()


def test_the_state_of_a_node(pve: proxmox.Client) -> None:
    found = pve.node_status("pve1")
    assert found.cpus > 0
    assert 0 < found.memory_used < found.memory
    assert found.pve_version


def test_the_tasks_of_a_guest(pve: proxmox.Client, clock: ManualClock) -> None:
    upid = pve.power(*WEB, Power.STOP)
    clock.advance(30)
    pve.power(*WEB, Power.START)
    running, ended = pve.guest_tasks("pve1", 101)
    assert (running.type, running.status.running, running.ended) == ("qmstart", True, None)
    assert (ended.upid, ended.status.succeeded, ended.user) == (upid, True, "portal@pve!labs")
    assert pve.guest_tasks("pve1", 102) == ()


def test_a_long_log_comes_in_pages(pve: proxmox.Client, lab: Cluster, clock: ManualClock) -> None:
    lab.faults.tasks_talk(lines=2500)
    upid = pve.power(*WEB, Power.STOP)
    clock.advance(30)
    lines, start = [], 0
    while start is not None:
        page = pve.task_log_page(upid, start=start, limit=1000)
        lines += page.lines
        start = page.next
    assert len(lines) >= 2500
    assert len(pve.task_log(upid, limit=10**6)) == 1000


def test_a_failed_task_becomes_an_error(pve: proxmox.Client, clock: ManualClock) -> None:
    upid = pve.power(*WEB, Power.START)
    clock.advance(10)
    with pytest.raises(proxmox.TaskFailed, match="already running") as caught:
        pve.task_status(upid).raise_if_failed()
    assert not caught.value.locked
    proxmox.TaskStatus(running=True, exit_status="").raise_if_failed()


def test_what_the_cluster_keeps_running(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_guest(400, node="pve2", status="running", ha=True)
    found = pve.ha_status()
    assert found.quorate
    assert [(service.vmid, service.node, service.state) for service in found.services] == [(400, "pve2", "started")]


def console(**changes: object) -> str:
    ticket = "9^LO1C`Y:PVEVNC:6B036674::Yw6yTyKRENZ=="
    answer = {"user": "portal@pve!labs", "port": "5900", "ticket": ticket, "password": "9^LO1C`Y", "upid": VNC_UPID}
    return json.dumps({"data": {**answer, **changes}})


def test_a_console(pve: proxmox.Client, lab: Cluster, config: ClusterConfig) -> None:
    lab.faults.reply(VNC, body=console())
    found = pve.vnc_proxy(*WEB)
    assert (found.port, found.password, found.endpoint) == (5900, "9^LO1C`Y", f"127.0.0.1:{config.port}")
    assert found.ticket not in repr(found)
    assert found.password not in repr(found)
    assert lab.requests[-1].form == "websocket=1"


def test_a_console_of_an_older_cluster_has_its_password_in_the_ticket(pve: proxmox.Client, lab: Cluster) -> None:
    lab.faults.reply(VNC, body=console(ticket="PVEVNC:6B036674::Yw6y==", password=None, port=5901))
    found = pve.vnc_proxy(*WEB)
    assert (found.port, found.password) == (5901, "PVEVNC:6")


@pytest.mark.parametrize(
    "changes", [{"port": 0}, {"port": "x"}, {"port": 65536}, {"ticket": ""}, {"ticket": "a\r\nb" * 9}, {"upid": "x"}]
)
def test_what_is_no_console(pve: proxmox.Client, lab: Cluster, changes: dict[str, object]) -> None:
    lab.faults.reply(VNC, body=console(**changes))
    with pytest.raises(proxmox.OutcomeUnknown):
        pve.vnc_proxy(*WEB)
