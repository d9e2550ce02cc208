"""Values of whatever type become values of ours, or are refused."""

from typing import Any

import pytest

from clusters.config import validate_user
from clusters.proxmox import ProtocolError, TaskStatus, parse_upid, results
from clusters.proxmox.results import coercion

UPID = "UPID:pve1:0003A1F2:01B2C3D4:69223A10:qmstart:100:portal@pve!power:"


def guest(**changes: Any) -> dict[str, Any]:
    return {"type": "qemu", "vmid": 100, "node": "pve1", "name": "web", "status": "running", **changes}


def test_numbers_and_truths_may_be_text() -> None:
    answer = results.resources([guest(vmid="100", maxmem="1024", maxcpu="1.5", template="1", uptime="7")])
    (found,) = answer.guests
    assert (found.vmid, found.memory, found.cpus, found.template, found.uptime) == (100, 1024, 1.5, True, 7)


@pytest.mark.parametrize("value", [0, "0", None, "", False, [], {}])
def test_what_is_not_one_is_false(value: object) -> None:
    assert coercion.flag(value) is False


@pytest.mark.parametrize(
    "change",
    [
        {"vmid": 99}, {"vmid": 10**9}, {"vmid": -100}, {"vmid": True}, {"vmid": "1e3x"}, {"vmid": None},
        {"vmid": [100]}, {"node": "../../access"}, {"node": "a b"}, {"node": ""}, {"node": None}, {"node": "n" * 64},
        {"node": "pve1\n"},
    ],
)  # fmt: skip
def test_a_row_that_makes_no_sense_is_counted_and_the_others_stay(change: dict[str, Any]) -> None:
    answer = results.resources([guest(**change), guest(vmid=101)])
    assert [found.vmid for found in answer.guests] == [101]
    assert answer.rejected == 1


@pytest.mark.parametrize(
    "change",
    [
        {"maxmem": -1}, {"maxmem": 2**63}, {"maxmem": 1e300}, {"maxmem": "9" * 5000}, {"maxmem": float("inf")},
        {"maxcpu": float("nan")}, {"maxcpu": 10**400}, {"maxcpu": {}}, {"uptime": "yesterday"}, {"maxdisk": True},
    ],
)  # fmt: skip
def test_a_figure_that_makes_no_sense_is_nothing_and_its_guest_is_named(change: dict[str, Any]) -> None:
    figures: dict[str, Any] = {"maxmem": 1024, "maxcpu": 2, "uptime": 7, "maxdisk": 5}
    answer = results.resources([guest(**figures | change), guest(vmid=101)])
    found = answer.guests[0]
    shown = {"maxmem": found.memory, "maxcpu": found.cpus, "uptime": found.uptime, "maxdisk": found.disk}
    assert shown == figures | dict.fromkeys(change, 0)
    assert (answer.rejected, answer.odd_vmids) == (0, (100,))


def test_rejected_rows_are_named_where_they_can_be() -> None:
    answer = results.resources([guest(node="a b"), guest(vmid=99), [], guest(vmid="101", node="")])
    assert (answer.rejected, answer.rejected_vmids) == (4, (100, 101))


def test_rows_that_are_no_objects_are_counted() -> None:
    assert results.resources([1, None, "x", [guest()]]).rejected == 4


def test_a_vmid_twice_is_one_guest_and_one_rejected() -> None:
    answer = results.resources([guest(), guest(type="lxc", node="pve2")])
    assert [found.node for found in answer.guests] == ["pve1"]
    assert answer.rejected == 1


@pytest.mark.parametrize("kind", ["storage", "pool", "sdn", "network", "something-new", None, ["qemu"]])
def test_rows_of_other_types_are_passed_over(kind: object) -> None:
    assert results.resources([{"type": kind, "id": "x"}]) == results.Resources((), (), 0)


def test_an_unknown_status_is_kept_and_cut() -> None:
    (found,) = results.resources([guest(status="in-a-state-nobody-has-heard-of")]).guests
    assert found.status == "in-a-state-nobody-ha"


def test_a_row_with_nothing_but_its_identity() -> None:
    (found,) = results.resources([{"type": "lxc", "vmid": 200, "node": "pve2"}]).guests
    assert (found.name, found.status, found.tags, found.pool, found.cpus, found.memory) == ("", "unknown", (), "", 0, 0)


@pytest.mark.parametrize("odd", ["=1+1", "@SUM(A1)", "-x", "+x", ".x", "<b>", "a'b", 'a"b', "é", "a/b", "%s" * 3])
def test_tags_that_proxmox_does_not_allow_are_dropped(odd: str) -> None:
    (found,) = results.resources([guest(tags=f"lab;{odd};c++;v1.2-x_y;_z;0")]).guests
    assert found.tags == ("lab", "c++", "v1.2-x_y", "_z", "0")


@pytest.mark.parametrize("tags", ["a;b;c", "a,b, c", " a b  c ", ";a;;b;a;c;"])
def test_tags_may_be_separated_in_any_way(tags: str) -> None:
    (found,) = results.resources([guest(tags=tags)]).guests
    assert found.tags == ("a", "b", "c")


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("a\x00b\nc\x1b[31m", "a b c [31m"),
        ("\ud800", "?"),
        ("\u202egnp.exe", "gnp.exe"),
        ("<script>", "<script>"),
        ("x" * 4000, "x" * 255),
        (7, "7"),
        (True, ""),
        (["x"], ""),
        (None, ""),
    ],
)
def test_text_loses_what_cannot_be_stored_or_shown(foreign: object, ours: str) -> None:
    (found,) = results.resources([guest(name=foreign)]).guests
    assert found.name == ours


@pytest.mark.parametrize("data", [None, {}, "x", 1, {"errors": "x"}])
def test_resources_that_are_no_list(data: object) -> None:
    with pytest.raises(ProtocolError):
        results.resources(data)


def test_a_list_beyond_all_measure_is_refused() -> None:
    assert len(results.resources([{}] * coercion.MAX_ROWS).guests) == 0
    with pytest.raises(ProtocolError):
        results.resources([{}] * (coercion.MAX_ROWS + 1))


@pytest.mark.parametrize("data", [[], [{"type": "cluster", "name": "x"}], [{"type": "node", "name": "../x"}], [1], {}])
def test_a_cluster_without_a_proper_node_is_none(data: object) -> None:
    with pytest.raises(ProtocolError):
        results.cluster_status(data)


@pytest.mark.parametrize("exit_status", ["OK", "WARNINGS: 2"])
def test_success(exit_status: str) -> None:
    assert TaskStatus(running=False, exit_status=exit_status).succeeded


@pytest.mark.parametrize(
    "exit_status", ["", "ok", "OK\nno", "unexpected status", "WARNINGS: many", "command 'OK' failed"]
)
def test_everything_else_is_no_success(exit_status: str) -> None:
    assert not TaskStatus(running=False, exit_status=exit_status).succeeded


def test_a_running_task_has_not_succeeded() -> None:
    assert not results.task_status({"status": "running", "exitstatus": "OK"}).succeeded


def test_a_task_that_ended_without_a_word_has_failed() -> None:
    assert results.task_status({"status": "stopped"}) == TaskStatus(running=False, exit_status="unexpected status")


@pytest.mark.parametrize("data", [None, [], {}, {"status": "OK"}, {"status": None}])
def test_a_task_without_a_state(data: object) -> None:
    with pytest.raises(ProtocolError):
        results.task_status(data)


def test_a_upid_is_taken_apart() -> None:
    upid = parse_upid(UPID)
    assert (upid.node, upid.type, upid.guest_id, upid.user) == ("pve1", "qmstart", "100", "portal@pve!power")


@pytest.mark.parametrize("user", ["LAB\\portal@ad", "ana.gil@school.example@entra!labs", "josé@ldap"])
def test_a_upid_may_have_every_user_that_may_be_entered(user: str) -> None:
    validate_user(user.split("!", maxsplit=1)[0])
    assert parse_upid(UPID.replace("portal@pve!power", user)).user == user


@pytest.mark.parametrize(
    "upid",
    [
        None, 1, "", "UPID:", UPID[:-1], UPID + "\n", UPID.replace("pve1", "../access"), UPID * 2,
        UPID.replace("0003A1F2", "xyz"), UPID.replace("portal@pve!power", "a/../../b"), UPID.replace("100", "1/2"),
        UPID.replace("qmstart", "a b"),
    ],
)  # fmt: skip
def test_what_is_no_upid(upid: object) -> None:
    with pytest.raises(ProtocolError):
        parse_upid(upid)
