"""Every call ends in time, however slowly the other side goes about it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
import requests

from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.cluster import Cluster

from .blackhole import blackhole
from .rawserver import VERSION, RawServer, Speak, StartRaw, ok

# What a busy machine may take longer. More would be another deadline than the one that was given.
MARGIN = 20.0

HEAD, BODY = VERSION.split(b"\r\n\r\n")


@contextmanager
def in_time(deadline: float, *, sent: bool = True) -> Iterator[None]:
    began = time.monotonic()
    with pytest.raises(proxmox.TimedOut) as caught:
        yield
    assert time.monotonic() - began < deadline + MARGIN
    assert caught.value.sent is sent


def ask(config: ClusterConfig, *, deadline: float) -> proxmox.Version:
    with proxmox.connect(config, deadline=deadline) as pve:
        return pve.version()


def drip(first: bytes, slowly: bytes, *, pause: float) -> Speak:
    def speak(server: RawServer, conn: socket.socket) -> None:
        server.read_head(conn)
        conn.sendall(first)
        for position in range(len(slowly)):
            conn.sendall(slowly[position : position + 1])
            time.sleep(pause)

    return speak


@pytest.mark.parametrize(
    ("first", "slowly"),
    [
        (b"", HEAD),
        (HEAD[:20], b"X-Filler: " + b"x" * 100),
        (HEAD + b"\r\n\r\n", BODY + b" " * 60),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 20),
    ],
    ids=["status line", "header", "body", "continue", "chunks"],
)
def test_one_byte_at_a_time(raw: StartRaw, brief: float, first: bytes, slowly: bytes) -> None:
    """It would go on for several times the deadline."""
    server = raw(drip(first, slowly, pause=brief / 10))
    with in_time(brief):
        ask(server.config, deadline=brief)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_timeout_of_the_socket_would_not_end_it(raw: StartRaw, brief: float) -> None:
    server = raw(drip(VERSION[:-25], VERSION[-25:], pause=brief / 10))
    began = time.monotonic()
    answer = requests.get(f"https://127.0.0.1:{server.port}/api2/json/version", verify=False, timeout=brief)
    assert answer.status_code == 200
    assert time.monotonic() - began > 2 * brief


def test_slow_but_in_time(raw: StartRaw) -> None:
    server = raw(drip(HEAD + b"\r\n\r\n", BODY, pause=0.002))
    assert ask(server.config, deadline=60.0).version == "9.2.11"


def test_no_answer(config: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang("/version")
    with in_time(brief):
        ask(config, deadline=brief)


def test_no_body(config: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.delay("/version", 3600.0, before="body", times=1)
    with in_time(brief):
        ask(config, deadline=brief)


def test_no_handshake(raw: StartRaw, brief: float) -> None:
    server = raw(RawServer.await_end, tls=False)
    with in_time(brief, sent=False):
        ask(server.config, deadline=brief)


def test_a_handshake_one_byte_at_a_time(raw: StartRaw, brief: float) -> None:
    def speak(server: RawServer, conn: socket.socket) -> None:
        conn.recv(4096)
        for byte in b"\x16\x03\x03\x00\x7a\x02" + b"\0" * 60:
            conn.sendall(bytes([byte]))
            time.sleep(brief / 10)

    with in_time(brief, sent=False):
        ask(raw(speak, tls=False).config, deadline=brief)


@pytest.fixture
def full() -> Iterator[tuple[str, int]]:
    with ExitStack() as opened:
        yield blackhole(opened)


def test_no_connection(config: ClusterConfig, full: tuple[str, int], brief: float) -> None:
    with in_time(brief, sent=False):
        ask(replace(config, port=full[1]), deadline=brief)


def test_many_addresses_have_one_deadline(
    config: ClusterConfig, full: tuple[str, int], brief: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", full)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address] * 50)
    with in_time(brief, sent=False):
        ask(config, deadline=brief)


def test_a_login_counts(by_password: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang("/access/ticket")
    with in_time(brief, sent=False):
        ask(by_password, deadline=brief)


def test_login_and_question_share_one_deadline(raw: StartRaw, by_password: ClusterConfig, brief: float) -> None:
    login = ok(b'{"data":{"ticket":"PVE:x","CSRFPreventionToken":"x"}}')

    def speak(server: RawServer, conn: socket.socket) -> None:
        while head := server.read_head(conn):
            time.sleep(1.2 * brief)
            conn.sendall(login if b"/access/ticket" in head else VERSION)

    server = raw(speak)
    with in_time(2 * brief):
        ask(replace(server.config, token_secret=None, password=by_password.password), deadline=2 * brief)


def test_each_call_has_the_deadline_anew(raw: StartRaw, brief: float) -> None:
    def speak(server: RawServer, conn: socket.socket) -> None:
        while server.read_head(conn):
            time.sleep(brief / 2)
            conn.sendall(VERSION)

    with proxmox.connect(raw(speak).config, deadline=1.25 * brief) as pve:
        for _ in range(3):
            assert pve.version()


def test_a_call_that_timed_out_leaves_the_next_a_connection_of_its_own(
    config: ClusterConfig, lab: Cluster, brief: float
) -> None:
    lab.faults.hang("/version", times=1)
    with proxmox.connect(config, deadline=brief) as pve:
        with in_time(brief):
            pve.version()
        assert pve.version().version == "9.2.11"


def test_no_thread_is_left_behind(config: ClusterConfig, lab: Cluster, brief: float) -> None:
    before = set(threading.enumerate())
    lab.faults.hang("/version")
    with in_time(brief):
        ask(config, deadline=brief)
    assert not set(threading.enumerate()) - before
