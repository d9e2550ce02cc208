"""Details of guests, of whatever shape they come in."""

from typing import Any

import pytest

from clusters.proxmox import ProtocolError, Refused, results
from clusters.proxmox.results import coercion


def config(**options: Any) -> results.GuestConfig:
    return results.guest_config({"name": "web", **options})


@pytest.mark.parametrize(
    ("memory", "expected"), [("64", 64), (64, 64), ("current=2048", 2048), ("current=4096,max=8192", 4096), (None, 512)]
)
def test_memory_has_many_forms(memory: object, expected: int) -> None:
    assert config(memory=memory).memory == expected


@pytest.mark.parametrize("agent", ["1", 1, "enabled=1", "1,fstrim_cloned_disks=1", "enabled=1,type=virtio"])
def test_an_agent_is_expected(agent: object) -> None:
    assert config(agent=agent).agent


@pytest.mark.parametrize("agent", [None, "", "0", 0, "enabled=0", "0,type=virtio", "11", [1]])
def test_no_agent_is_expected(agent: object) -> None:
    assert not config(agent=agent).agent


def test_network_cards_of_machines_and_containers() -> None:
    found = config(
        net0="virtio=bc:24:11:2a:5a:76,bridge=vmbr0", net1="name=eth0,hwaddr=BC:24:11:00:00:01,ip=dhcp", netx="a=b"
    )
    assert found.macs == ("BC:24:11:2A:5A:76", "BC:24:11:00:00:01")


def test_options_are_cut_and_have_no_secret() -> None:
    found = config(description="x" * 10**6, cipassword="**********", sshkeys="ssh-ed25519 AAAA")
    assert len(found.options["description"]) == 4096
    assert len(found.description) == 8192
    assert {"cipassword", "sshkeys"}.isdisjoint(found.options)
    assert len(results.guest_config({str(number): 1 for number in range(10_000)}).options) == 500


def test_notes_keep_their_lines_and_lose_what_turns_them() -> None:
    assert config(description="a\r\nb\u202ec\x00\u200bd\ufeff").description == "a\nb c  d"


@pytest.mark.parametrize(
    "invisible", ["\u200b", "\u200e", "\u200f", "\u061c", "\ufeff", "\u2066", "\xad", "\U000e0041"]
)
def test_what_cannot_be_seen_is_not_kept(invisible: str) -> None:
    assert coercion.text(f"ro{invisible}ot") == "ro ot"


def test_a_number_beyond_all_measure_is_no_text() -> None:
    assert coercion.text(10**5000) == ""


def snapshot(name: object, parent: object = None, time: object = 1) -> dict[str, object]:
    return {"name": name, "parent": parent, "snaptime": time, "vmstate": "1"}


def shape(*rows: object) -> list[tuple[str, str, int]]:
    return [(one.name, one.parent, one.depth) for one in results.snapshots(list(rows)).all]


def test_snapshots_are_in_the_order_of_the_tree() -> None:
    rows = [snapshot("cc", "bb", 3), snapshot("dd", "aa", 4), snapshot("bb", "aa", 2), snapshot("aa", None, 1)]
    assert shape(*rows) == [("aa", "", 0), ("bb", "aa", 1), ("cc", "bb", 2), ("dd", "aa", 1)]


def test_snapshots_that_are_their_own_ancestors_have_no_parent() -> None:
    assert shape(snapshot("aa", "bb"), snapshot("bb", "aa"), snapshot("cc", "cc")) == [
        ("aa", "", 0), ("bb", "", 0), ("cc", "", 0)
    ]  # fmt: skip


def test_a_parent_that_is_not_there_is_none() -> None:
    found = results.snapshots([snapshot("aa", "zz"), {"name": "current", "parent": "zz"}])
    assert (found.all[0].parent, found.current) == ("", "")


@pytest.mark.parametrize("row", [snapshot("../x"), snapshot(None), snapshot("aa", None, -1), 7, [], snapshot("a" * 99)])
def test_a_snapshot_that_makes_no_sense_is_counted(row: object) -> None:
    found = results.snapshots([row, snapshot("bb")])
    assert (len(found.all), found.rejected) == (1, 1)


def test_a_long_line_of_snapshots() -> None:
    rows = [snapshot(f"s{number}", f"s{number - 1}", number) for number in range(1000)]
    found = results.snapshots(rows)
    assert (len(found.all), found.rejected, found.all[-1].depth) == (200, 800, 199)


def agent(*interfaces: object) -> tuple[results.Interface, ...]:
    return results.interfaces({"result": list(interfaces)})


def test_interfaces_of_a_machine() -> None:
    (found,) = agent({
        "name": "eth0",
        "hardware-address": "bc:24:11:98:5b:02",
        "ip-addresses": [
            {"ip-address": "10.77.0.100", "prefix": 24},
            {"ip-address": "FE80:0:0::1%eth0", "prefix": 64},
            {"ip-address": "10.77.0.100"},
        ],
    })  # fmt: skip
    assert found == results.Interface("eth0", "BC:24:11:98:5B:02", ("10.77.0.100", "fe80::1"))


def test_interfaces_of_a_container() -> None:
    rows = [{"name": "eth0", "hwaddr": "bc:24:11:00:00:02", "inet": "10.0.5.8/24", "inet6": "fd00::8/64"}]
    assert results.interfaces(rows) == (results.Interface("eth0", "BC:24:11:00:00:02", ("10.0.5.8", "fd00::8")),)
    assert results.interfaces(None) == ()


@pytest.mark.parametrize("lie", ["<script>", "10.0.0", "1.2.3.4; rm", "", None, 7, {"a": 1}, "x" * 10**6, "0x7f.1"])
def test_a_guest_may_lie_about_its_addresses(lie: object) -> None:
    (found,) = agent({"name": lie, "hardware-address": lie, "ip-addresses": [{"ip-address": lie}, lie]}, lie)[:1]
    assert (found.mac, found.addresses) == ("", ())
    assert len(found.name) <= 60


def test_a_guest_may_have_interfaces_without_end() -> None:
    many = [{"ip-address": f"10.{high}.{low}.1"} for high in range(100) for low in range(100)]
    found = agent(*[{"name": "e", "ip-addresses": many}] * 3000)
    assert (len(found), len(found[0].addresses)) == (2000, 64)


def test_an_agent_that_answers_with_an_error() -> None:
    with pytest.raises(Refused, match="no such command"):
        results.interfaces({"result": {"error": {"class": "CommandNotFound", "desc": "no such command"}}})


@pytest.mark.parametrize("data", [{"result": "x"}, {"result": {"a": 1}}, "x", 7])
def test_what_is_no_list_of_interfaces(data: object) -> None:
    with pytest.raises(ProtocolError):
        results.interfaces(data)


def test_members_of_a_pool_are_guests_and_storages() -> None:
    members = [
        {"type": "qemu", "vmid": 100, "node": "pve1"}, {"type": "storage", "storage": "data"},
        {"type": "storage", "storage": "data"}, {"type": "qemu", "vmid": 1, "node": "pve1"},
    ]  # fmt: skip
    found = results.pool_members([{"poolid": "other", "comment": "c", "members": members}], "labs")
    assert (found.name, len(found.guests), found.storages, found.rejected) == ("labs", 1, ("data",), 1)


@pytest.mark.parametrize("name", ["../x", "", None, "a b", "/a", "a/b/c/d", "x" * 101, "..", "a//b"])
def test_a_pool_of_an_evil_name_is_none(name: object) -> None:
    assert results.pools([{"poolid": name}, {"poolid": "a/b.c/d_e"}]) == (results.Pool("a/b.c/d_e", ""),)


@pytest.mark.parametrize("sid", ["vm:1", "ct:x", "service:vm:100", None, "vm:100:x"])
def test_a_service_that_is_no_guest_is_passed_over(sid: object) -> None:
    rows = [{"type": "quorum", "quorate": "1"}, {"type": "service", "sid": sid, "node": "pve1", "state": "started"}]
    assert results.ha_status(rows) == results.HaStatus(quorate=True, services=())


def test_tasks_that_make_no_sense_are_left_out() -> None:
    good = "UPID:pve1:0003A1F2:01B2C3D4:69223A10:qmstart:100:portal@pve:"
    found = results.tasks([{"upid": "x"}, 7, {"upid": good, "starttime": -1}, {"upid": good, "endtime": 9}])
    assert [(task.ended, task.status.exit_status) for task in found] == [(9, "unexpected status")]


@pytest.mark.parametrize("data", [{"cpu": "x"}, {"memory": {"total": -1}}, {"cpuinfo": {"cpus": []}}, [], None])
def test_a_node_without_figures_that_make_sense(data: object) -> None:
    with pytest.raises(ProtocolError):
        results.node_status(data)
