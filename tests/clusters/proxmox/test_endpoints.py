"""Several addresses of one cluster: which is asked, and when another one."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from accounts import name_lookup
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import Power, endpoints, sockets
from clusters.proxmox.endpoints import Address, addresses, parse_address
from pvesim.cluster import Cluster
from pvesim.tls import Authority
from tests.waits import TIMEOUT

from .blackhole import blackhole
from .rawserver import RawServer, StartRaw

STOP = "^/nodes/pve1/qemu/101/status/stop$"


@pytest.fixture
def two(config: ClusterConfig, lab: Cluster) -> ClusterConfig:
    """Both nodes, by both certificates."""
    pins = f"{lab.fingerprint('pve1')}, {lab.fingerprint('pve2')}"
    return replace(config, fingerprint=pins, addresses=(f"127.0.0.1:{lab.ports['pve2']}",))


def at(config: ClusterConfig, port: int) -> ClusterConfig:
    """With another first address."""
    return replace(config, port=port)


def asked(config: ClusterConfig, *, deadline: float = TIMEOUT) -> str:
    with proxmox.connect(config, deadline=deadline) as pve:
        pve.version()
        return pve.endpoint


def first(config: ClusterConfig) -> str:
    return f"127.0.0.1:{config.port}"


def second(config: ClusterConfig) -> str:
    return config.addresses[0]


@pytest.fixture
def knocked(raw: StartRaw) -> RawServer:
    """Counts connections, and closes them before they are secured."""
    return raw(lambda server, conn: None, tls=False)


@pytest.fixture
def dark() -> Iterator[int]:
    with ExitStack() as opened:
        yield blackhole(opened)[1]


def test_the_first_is_asked_as_long_as_it_answers(two: ClusterConfig, lab: Cluster) -> None:
    assert asked(two) == first(two)
    assert [request.node for request in lab.requests] == ["pve1"]


def test_the_next_is_asked_when_the_first_refuses(two: ClusterConfig, lab: Cluster) -> None:
    lab.stop_node("pve1")
    assert asked(two) == second(two)


def test_the_next_is_asked_when_the_first_does_not_answer_at_all(two: ClusterConfig, dark: int, brief: float) -> None:
    assert asked(at(two, dark), deadline=3 * brief) == second(two)


def test_the_next_is_asked_when_the_name_is_unknown(two: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = name_lookup._ask_system
    monkeypatch.setattr(name_lookup, "_ask_system", lambda host, port: [] if host == "pve.example" else ask(host, port))
    assert asked(replace(two, host="pve.example")) == second(two)


def test_a_change_goes_to_the_next_when_nothing_was_sent(two: ClusterConfig, lab: Cluster) -> None:
    lab.close_port("pve1")
    with proxmox.connect(two) as pve:
        assert pve.power("pve1", "qemu", 101, Power.STOP)
    assert [(request.method, request.node) for request in lab.requests] == [("POST", "pve2")]


def test_a_bad_one_is_left_alone_for_a_while(two: ClusterConfig, knocked: RawServer) -> None:
    for _ in range(3):
        assert asked(at(two, knocked.port)) == second(two)
    assert knocked.connections == 1


def test_a_bad_one_is_tried_again_later(
    two: ClusterConfig, knocked: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "LONGEST_BACK_OFF", 0.0)
    for _ in range(3):
        assert asked(at(two, knocked.port)) == second(two)
    assert knocked.connections == 3


def test_back_off_grows_and_ends_with_an_answer() -> None:
    health, address = endpoints.EndpointHealth(), Address("10.0.0.1", 8006)
    pauses = []
    for _ in range(9):
        health.failed(address)
        pauses.append(health._avoided[address][1])
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert health.avoids(address)
    health.answered(address)
    assert not health.avoids(address)


def test_the_first_is_retried_when_no_other_answers(two: ClusterConfig, lab: Cluster, knocked: RawServer) -> None:
    lab.stop()
    with pytest.raises(proxmox.Unreachable, match="ALLOW_FROM"):
        asked(at(two, knocked.port))
    assert knocked.connections == 2


def test_all_share_one_deadline(two: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers, each attempt takes all the time that it is given."""
    waited: list[float] = []

    def take_all(target: object, deadline: sockets.Deadline) -> None:
        waited.append(deadline.left())
        raise TimeoutError

    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: sum(waited)))
    monkeypatch.setattr(sockets, "open_target", take_all)
    with pytest.raises(proxmox.Unreachable):
        asked(replace(two, addresses=("127.0.0.2", "127.0.0.3", "127.0.0.4:1")), deadline=8.0)
    assert len(waited) >= 4
    assert sum(waited) == pytest.approx(8.0)


@pytest.mark.parametrize("status", [595, 596])
def test_a_node_that_is_down_is_no_reason_to_ask_elsewhere(two: ClusterConfig, lab: Cluster, status: int) -> None:
    lab.faults.reply("/nodes/pve2/", status=status, reason="No route to host")
    with proxmox.connect(two) as pve:
        with pytest.raises(proxmox.NodeDown):
            pve.guest_status("pve2", "qemu", 102)
        assert pve.endpoint == first(two)
        pve.version()
    assert {request.node for request in lab.requests} == {"pve1"}


def test_a_question_that_hangs_is_put_to_the_next_once(two: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang("/version", node="pve1")
    assert asked(two, deadline=2 * brief) == second(two)
    assert [request.node for request in lab.requests] == ["pve1", "pve2"]


def test_a_question_that_hangs_everywhere_ends_in_time(two: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang("/version")
    with pytest.raises(proxmox.TimedOut):
        asked(two, deadline=2 * brief)
    assert lab.count() == 2


def test_a_change_that_hangs_is_not_put_to_the_next(two: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang(STOP, executed=True)
    with pytest.raises(proxmox.OutcomeUnknown), proxmox.connect(two, deadline=brief) as pve:
        pve.power("pve1", "qemu", 101, Power.STOP)
    assert [(request.method, request.node) for request in lab.requests] == [("POST", "pve1")]


def test_a_change_that_is_dropped_is_not_put_to_the_next(two: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reset(STOP, executed=True)
    with pytest.raises(proxmox.OutcomeUnknown), proxmox.connect(two) as pve:
        pve.power("pve1", "qemu", 101, Power.STOP)
    assert lab.count(method="POST") == 1


def test_a_slow_node_is_not_held_against_the_entry(two: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang("/nodes/pve2/")
    with proxmox.connect(two, deadline=brief) as pve:
        with pytest.raises(proxmox.TimedOut):
            pve.guest_status("pve2", "qemu", 102)
        pve.version()
        assert pve.endpoint == first(two)


def test_an_address_of_another_certificate_is_not_used(two: ClusterConfig, lab: Cluster) -> None:
    lab.stop_node("pve1")
    with pytest.raises(proxmox.ConnectionRefused):
        asked(replace(two, fingerprint=lab.fingerprint("pve1")))
    assert lab.count() == 0


def test_the_problem_names_the_address_that_only_its_certificate_keeps_out(two: ClusterConfig, lab: Cluster) -> None:
    lab.stop_node("pve1")
    with pytest.raises(proxmox.ConnectionRefused) as refused:
        asked(replace(two, fingerprint=lab.fingerprint("pve1")))
    assert f"{second(two)} responds, but its certificate is not trusted" in str(refused.value)
    assert "refuses connections" in str(refused.value)


def test_each_address_is_tried_and_nothing_is_sent(two: ClusterConfig, lab: Cluster) -> None:
    assert proxmox.try_each(two) == {}
    lab.stop_node("pve1")
    found = proxmox.try_each(replace(two, fingerprint=lab.fingerprint("pve1")))
    assert {str(address): type(problem) for address, problem in found.items()} == {
        first(two): proxmox.ConnectionRefused,
        second(two): proxmox.CertificateRejected,
    }
    assert lab.count() == 0


def test_another_certificate_at_the_configured_address_is_for_a_person_to_see(two: ClusterConfig, lab: Cluster) -> None:
    with pytest.raises(proxmox.CertificateRejected):
        asked(replace(two, fingerprint=lab.fingerprint("pve2")))
    assert lab.count() == 0


def test_with_a_ca_every_node_is_trusted(two: ClusterConfig, lab: Cluster) -> None:
    lab.stop_node("pve1")
    assert asked(replace(two, fingerprint="", ca_certificate=lab.ca_pem)) == second(two)
    proxmox.forget(two.cluster_id)
    with pytest.raises(proxmox.ConnectionRefused):
        asked(replace(two, fingerprint="", ca_certificate=Authority("else").certificate.pem))


@pytest.mark.parametrize("separator", [",", " ", "\n", ", ", "\t,\n"])
def test_pins_may_be_separated_in_any_way(two: ClusterConfig, separator: str) -> None:
    assert asked(replace(two, fingerprint=two.fingerprint.replace(", ", separator)))


@pytest.mark.parametrize("pins", [",", " ", "AB", "{0} AB", "{0},x"])
def test_one_pin_that_is_none_spoils_all(two: ClusterConfig, lab: Cluster, pins: str) -> None:
    with pytest.raises(proxmox.CertificateRejected, match="SHA-256"):
        asked(replace(two, fingerprint=pins.format(lab.fingerprint("pve1"))))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("pve2", ("pve2", 8006)),
        ("pve2:443", ("pve2", 443)),
        ("10.0.0.2", ("10.0.0.2", 8006)),
        ("10.0.0.2:443", ("10.0.0.2", 443)),
        ("fd00::2", ("fd00::2", 8006)),
        ("[fd00::2]", ("fd00::2", 8006)),
        ("[fd00::2]:443", ("fd00::2", 443)),
        ("pve2:", None), ("pve2:0", None), ("pve2:65536", None), ("pve2:x", None), ("[pve2]:1", None), ("", None),
        ("a]b", None),
    ],
)  # fmt: skip
def test_an_address_is_a_host_and_perhaps_a_port(text: str, address: tuple[str, int] | None) -> None:
    assert parse_address(text, port=8006) == (Address(*address) if address else None)


def test_addresses_are_taken_once_and_not_without_end(config: ClusterConfig) -> None:
    many = ("127.0.0.1", "x:y:z", *(f"10.0.0.{number}" for number in range(100)))
    found = addresses(replace(config, addresses=many))
    assert len(found) == len(set(found)) == endpoints.MAX_ENDPOINTS
    assert found[0] == Address("127.0.0.1", config.port)


def test_a_cluster_tells_where_its_nodes_are(pve: proxmox.Client) -> None:
    assert proxmox.learned_addresses(pve.cluster_status()) == ("10.77.0.11", "10.77.0.12")


@pytest.mark.parametrize("lie", ["", None, 7, "pve1", "10.0.0.1/8", "10.0.0.1:8006", "http://10.0.0.1", ["10.0.0.1"]])
def test_only_addresses_are_learned(pve: proxmox.Client, lab: Cluster, lie: Any) -> None:
    rows = [{"type": "node", "name": "pve1", "ip": lie, "online": 1, "local": 1}]
    lab.faults.reply("/cluster/status", body=json.dumps({"data": rows}))
    assert proxmox.learned_addresses(pve.cluster_status()) == ()
