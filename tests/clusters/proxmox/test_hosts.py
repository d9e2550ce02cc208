"""Where the portal connects to, and where never, whatever somebody enters or a name leads to."""

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import hosts
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

PRIVATE = [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.1",
    "192.168.1.10",
    "100.64.0.1",
    "fd12::1",
    "fc00::1",
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "172.32.0.1", "198.51.100.7", "2001:db8::1", "2a01:4f8::1"]
LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
NEVER = [
    # this network, link-local and what clouds tell about themselves
    "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "169.254.0.1", "169.254.170.2", "fe80::1", "fe80::a9fe:a9fe",  # noqa: S104
    "febf::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fec0::1",
    # multicast, broadcast, reserved
    "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "ff02::1", "ff05::2", "100::1",
    # the same in disguise
    "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    "2002:e000:1::1", "::7f00:1", "::a9fe:a9fe", "::ffff:a9fe:a9fe", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
NO_HOSTS = [
    "", " ", ".", "-", "a b", "a/b", "127.0.0.1/x?", "127.0.0.1#", "127.0.0.1:8006", "user@10.0.0.1",
    "user:pw@10.0.0.1", "http://10.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001",
    "127.0.0.01", "[::1]", "fe80::1%lo", "10.0.0.1\n", "10.0.0.1\r\nX: y", "a\0b", "10.0.0.1 ", "pve..lab",
    "x" * 64, "a." * 127 + "a", "①②⑦.0.0.1", "pve%2elab", "..", "pve?x", "pve;x", "pvé",
]  # fmt: skip


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sockets were asked to connect to. Nothing is connected."""
    targets: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        targets.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return targets


def resolving_to(*answers: list[str]) -> Callable[..., Any]:
    """A name server that gives these answers, one after the other, the last one for ever."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    return getaddrinfo


def ask(config: ClusterConfig) -> None:
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        pve.version()


@pytest.mark.parametrize("host", NEVER)
def test_nothing_is_opened_to_where_no_cluster_is(config: ClusterConfig, opened: list[Any], host: str) -> None:
    with pytest.raises((proxmox.HostNotAllowed, proxmox.NameNotFound)):
        ask(replace(config, host=host))
    assert opened == []


@pytest.mark.parametrize("host", NO_HOSTS)
def test_nothing_is_opened_to_what_is_no_host(config: ClusterConfig, opened: list[Any], host: str) -> None:
    with pytest.raises(proxmox.NameNotFound):
        ask(replace(config, host=host))
    assert opened == []


@pytest.mark.parametrize("host", [*PRIVATE, *PUBLIC])
def test_private_and_public_networks_are_allowed(config: ClusterConfig, opened: list[Any], host: str) -> None:
    with pytest.raises(proxmox.ConnectionRefused):
        ask(replace(config, host=host))
    assert [address[0] for address in opened] == [host]


def test_the_corpus_is_large() -> None:
    assert len({*NEVER, *NO_HOSTS, *LOOPBACK}) >= 60


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("allowed", [(), ("private", "public"), ("10.0.0.0/8",)])
def test_loopback_is_refused_when_the_setting_does_not_name_it(
    settings: Any, config: ClusterConfig, opened: list[Any], host: str, allowed: tuple[str, ...]
) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = allowed
    with pytest.raises(proxmox.HostNotAllowed):
        ask(replace(config, host=host))
    assert opened == []


@pytest.mark.parametrize("allowed", [None, ("loopback",), ("127.0.0.0/8",), ("127.0.0.1",), ("private", "loopback")])
def test_loopback_is_allowed_when_named_or_nothing_is_set(
    settings: Any, config: ClusterConfig, allowed: tuple[str, ...] | None
) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = allowed
    ask(config)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "8.8.8.8"])
def test_a_list_of_networks_is_all_that_is_allowed(settings: Any, host: str) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ["10.20.0.0/16", "fd12::/64"]
    assert not hosts.is_allowed(host)
    assert hosts.is_allowed("10.20.3.4")
    assert hosts.is_allowed("fd12::7")


@pytest.mark.parametrize("host", ["169.254.169.254", "224.0.0.1", "0.0.0.0", "fe80::1"])  # noqa: S104
def test_some_addresses_cannot_be_allowed(settings: Any, host: str) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "loopback"]
    assert not hosts.is_allowed(host)


def test_a_network_that_is_none_is_an_error(settings: Any) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ["intranet"]
    with pytest.raises(ImproperlyConfigured, match="intranet"):
        hosts.is_allowed("10.0.0.1")


@pytest.mark.parametrize("bad", ["127.0.0.1", "169.254.169.254", "::1", "fe80::1"])
def test_a_name_with_one_bad_address_is_refused(
    settings: Any, config: ClusterConfig, opened: list[Any], monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ()
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(["10.0.0.1", bad]))
    with pytest.raises(proxmox.HostNotAllowed):
        ask(replace(config, host="pve.example"))
    assert opened == []


def test_the_address_that_was_checked_is_the_one_that_is_used(
    settings: Any, config: ClusterConfig, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ()
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(["10.0.0.1"], ["127.0.0.1"]))
    with pytest.raises(proxmox.ConnectionRefused):
        ask(replace(config, host="rebinding.example"))
    with pytest.raises(proxmox.HostNotAllowed):
        ask(replace(config, host="rebinding.example"))
    assert opened == [("10.0.0.1", config.port)]


def test_a_library_left_alone_would_have_looked_the_name_up_again(monkeypatch: pytest.MonkeyPatch, opened: Any) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(["10.0.0.1"], ["127.0.0.1"]))
    assert hosts.is_allowed(socket.getaddrinfo("rebinding.example", 8006)[0][4][0])
    with pytest.raises(OSError):
        socket.create_connection(("rebinding.example", 8006), timeout=TIMEOUT)
    assert opened == [("127.0.0.1", 8006)]


def test_learned_addresses_are_checked_as_well(settings: Any, config: ClusterConfig, opened: list[Any]) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ()
    with pytest.raises(proxmox.ConnectionRefused):
        ask(replace(config, host="10.0.0.1", addresses=("127.0.0.1", "169.254.169.254:80", "[::1]:8006")))
    assert {address[0] for address in opened} == {"10.0.0.1"}


def test_a_certificate_is_fetched_from_nowhere_else(settings: Any, lab: Cluster, opened: list[Any]) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ()
    with pytest.raises(proxmox.HostNotAllowed):
        proxmox.fetch_certificate(lab.host, lab.port)
    with pytest.raises(proxmox.NameNotFound):
        proxmox.fetch_certificate("127.0.0.1/x?", lab.port)
    assert opened == []


def test_refusals_say_nothing_about_what_is_there(settings: Any, config: ClusterConfig, lab: Cluster) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ()
    with pytest.raises(proxmox.HostNotAllowed) as open_port:
        ask(config)
    with pytest.raises(proxmox.HostNotAllowed) as closed_port:
        ask(replace(config, port=1))
    assert open_port.value.plain == closed_port.value.plain


def test_a_name_server_that_hangs_is_not_waited_for(config: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: release.wait(10) and [])
    slow = replace(config, host="slow.example")
    with pytest.raises(proxmox.TimedOut) as caught, proxmox.connect(slow, deadline=0.2) as pve:
        pve.version()
    release.set()
    assert not caught.value.sent
