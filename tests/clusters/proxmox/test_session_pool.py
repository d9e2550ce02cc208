"""Connections and logins are kept for the next caller, and never for one of another configuration."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import session_pool as pooling
from clusters.proxmox.session_pool import MAX_IDLE, MAX_IDLE_IN_ALL, session_pool
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

from .rawserver import VERSION, RawServer, StartRaw

LOGINS = "^/access/ticket$"


def ask(config: ClusterConfig) -> str:
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        return pve.version().version


def idle() -> int:
    return sum(len(bucket.idle) for bucket in session_pool._buckets.values())


def always(server: RawServer, conn: Any) -> None:
    while server.read_head(conn):
        conn.sendall(VERSION)


def test_connections_are_kept(raw: StartRaw) -> None:
    server = raw(always)
    for _ in range(5):
        ask(server.config)
    assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize(("said", "connections"), [(["close", "Keep-Alive"], 1), (["close"], 2)])
def test_a_connection_is_kept_when_only_a_daemon_behind_it_closes(
    raw: StartRaw, said: list[str], connections: int
) -> None:
    lines = "".join(f"Connection: {word}\r\n" for word in said).encode()

    def speak(server: RawServer, conn: Any) -> None:
        while server.read_head(conn):
            conn.sendall(VERSION.replace(b"\r\n", b"\r\n" + lines, 1))

    server = raw(speak)
    for _ in range(2):
        ask(server.config)
    assert (server.connections, len(server.requests)) == (connections, 2)


def test_twelve_threads_have_one_login(by_password: ClusterConfig, lab: Cluster) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(ask, [by_password] * 48)) == {"9.2.11"}
    assert lab.count(path_regex=LOGINS) == 1
    assert lab.count(path_regex="^/version$") == 48


def test_twelve_threads_have_one_login_when_their_ticket_is_void(by_password: ClusterConfig, lab: Cluster) -> None:
    ask(by_password)
    lab.tickets.key = b"another key of another day......"
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(ask, [by_password] * 48)) == {"9.2.11"}
    assert lab.count(path_regex=LOGINS) == 2


def test_no_session_is_used_by_two_at_once(config: ClusterConfig) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(proxmox.connect(config)) for _ in range(5)]
        assert len({id(client._session) for client in clients}) == 5
    assert idle() == 5


def test_the_last_one_given_back_is_the_next_one_lent(config: ClusterConfig) -> None:
    with proxmox.connect(config) as pve:
        first = pve._session
    with proxmox.connect(config) as pve:
        assert pve._session is first


CHANGES: dict[str, Callable[[ClusterConfig], dict[str, Any]]] = {
    "cluster_id": lambda config: {"cluster_id": "other"},
    "host": lambda config: {"host": "localhost"},
    "port": lambda config: {"port": config.port + 1},
    "addresses": lambda config: {"addresses": ("10.0.0.9",)},
    "fingerprint": lambda config: {"fingerprint": ":".join(["AB"] * 32)},
    "no fingerprint": lambda config: {"fingerprint": ""},
    "trust": lambda config: {"fingerprint": "", "verify_ssl": True},
    "user": lambda config: {"user": "other@pve"},
    "token": lambda config: {"token_id": "portal@pve!other"},
    "secret": lambda config: {"token_secret": Secret("other")},
    "password": lambda config: {"token_secret": None, "password": config.token_secret},
    "credential_version": lambda config: {"credential_version": 1},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_configuration_never_meets_an_old_session(config: ClusterConfig, change: str) -> None:
    with proxmox.connect(config) as pve:
        old = pve._session
    with proxmox.connect(replace(config, **CHANGES[change](config))) as pve:
        assert pve._session is not old
        assert pve._session.credential is not old.credential


@pytest.mark.parametrize("change", [{"name": "Another name"}, {"is_default": True}, {"read_token_id": "x"}])
def test_what_does_not_matter_to_a_session_keeps_it(config: ClusterConfig, change: dict[str, Any]) -> None:
    with proxmox.connect(config) as pve:
        old = pve._session
    with proxmox.connect(replace(config, **change)) as pve:
        assert pve._session is old


def test_a_wrong_password_does_not_profit_from_a_right_one(by_password: ClusterConfig) -> None:
    ask(by_password)
    with pytest.raises(proxmox.LoginRejected):
        ask(replace(by_password, password=Secret("wrong")))


def test_only_so_many_are_kept(config: ClusterConfig) -> None:
    with ExitStack() as opened:
        for _ in range(MAX_IDLE + 5):
            opened.enter_context(proxmox.connect(config))
    assert idle() == MAX_IDLE


def test_only_so_many_are_kept_in_all(config: ClusterConfig) -> None:
    for number in range(MAX_IDLE_IN_ALL + 5):
        with proxmox.connect(replace(config, credential_version=number)):
            pass
    assert idle() == MAX_IDLE_IN_ALL


def test_connections_are_forgotten_before_the_login(
    by_password: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(by_password)
    now = time.monotonic()
    monkeypatch.setattr(pooling.time, "monotonic", lambda: now + pooling.IDLE_SECONDS + 1)
    ask(replace(by_password, cluster_id="other"))
    assert idle() == 1
    ask(by_password)
    assert lab.count(path_regex=LOGINS) == 2


def test_a_login_is_forgotten_in_the_end(
    by_password: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(by_password)
    now = time.monotonic()
    monkeypatch.setattr(pooling.time, "monotonic", lambda: now + pooling.LOGIN_SECONDS + 1)
    ask(replace(by_password, cluster_id="other"))
    assert len(session_pool._buckets) == 1


def test_a_cluster_can_be_forgotten(by_password: ClusterConfig, lab: Cluster) -> None:
    ask(by_password)
    ask(replace(by_password, cluster_id="other"))
    proxmox.forget(by_password.cluster_id)
    assert idle() == 1
    ask(by_password)
    assert lab.count(path_regex=LOGINS) == 3


def test_what_is_in_use_while_its_cluster_is_forgotten_is_not_kept(config: ClusterConfig) -> None:
    with proxmox.connect(config) as pve:
        proxmox.forget(config.cluster_id)
        assert pve.version()
    assert idle() == 0


def test_a_session_that_an_error_came_out_of_is_not_kept(config: ClusterConfig) -> None:
    with pytest.raises(proxmox.GuestGone), proxmox.connect(config) as pve:
        pve.guest_status("pve1", "qemu", 999)
    assert idle() == 0


def test_a_client_that_was_given_back_is_of_no_use(config: ClusterConfig) -> None:
    with proxmox.connect(config) as pve:
        pass
    with pytest.raises(RuntimeError):
        pve.version()


def in_a_child(work: Callable[[], object]) -> int:
    """How the work ends in a forked process: 0 when it returns something true."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_process_has_connections_of_its_own(raw: StartRaw) -> None:
    server = raw(always)
    ask(server.config)
    assert in_a_child(lambda: ask(server.config)) == 0
    ask(server.config)
    assert server.connections == 2


def test_a_process_forked_in_the_middle_leaves_the_connection_to_its_parent(raw: StartRaw) -> None:
    came_from: list[Any] = []

    def speak(server: RawServer, conn: Any) -> None:
        while server.read_head(conn):
            came_from.append(conn.getpeername())
            conn.sendall(VERSION)

    with proxmox.connect(raw(speak).config, deadline=TIMEOUT) as pve:
        pve.version()
        assert in_a_child(pve.version) == 0
        pve.version()
    first, of_the_child, second = came_from
    assert first == second != of_the_child
