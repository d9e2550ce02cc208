"""What is known about a request whose answer is missing, and what is sent again."""

import socket
from dataclasses import replace

import pytest

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import Power
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

from .rawserver import VERSION, RawServer, Speak, StartRaw

STOP = "^/nodes/pve1/qemu/101/status/stop$"


def stop_101(config: ClusterConfig, *, deadline: float = 5.0) -> str:
    with proxmox.connect(config, deadline=deadline) as pve:
        return pve.power("pve1", "qemu", 101, Power.STOP)


def failure(config: ClusterConfig, *, deadline: float = 5.0) -> proxmox.ProxmoxError:
    with pytest.raises(proxmox.ProxmoxError) as caught:
        stop_101(config, deadline=deadline)
    return caught.value


def test_an_answered_change_is_sent_once(config: ClusterConfig, lab: Cluster) -> None:
    assert stop_101(config).startswith("UPID:pve1:")
    assert lab.count(path_regex=STOP) == 1


def test_a_change_whose_answer_is_lost_may_have_happened(config: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reset(STOP, executed=True)
    error = failure(config)
    assert isinstance(error, proxmox.OutcomeUnknown)
    assert isinstance(error.why, proxmox.Dropped)
    assert error.sent
    assert lab.count(path_regex=STOP) == 1


def test_a_change_that_times_out_may_have_happened(config: ClusterConfig, lab: Cluster, brief: float) -> None:
    lab.faults.hang(STOP, executed=True)
    error = failure(config, deadline=brief)
    assert isinstance(error, proxmox.OutcomeUnknown)
    assert isinstance(error.why, proxmox.TimedOut)
    assert error.sent
    assert "Check before you repeat it" in error.plain
    assert lab.count(path_regex=STOP) == 1


@pytest.mark.parametrize("body", ["<html>", "", '{"data":null}', '{"data":"UPID:x"}', '{"data":{"upid":"x"}}'])
def test_a_change_that_is_answered_with_nonsense_may_have_happened(
    config: ClusterConfig, lab: Cluster, body: str
) -> None:
    lab.faults.reply(STOP, body=body)
    error = failure(config)
    assert isinstance(error, proxmox.OutcomeUnknown)
    assert isinstance(error.why, proxmox.ProtocolError)
    assert error.sent
    assert error.plain.count("Check before you repeat it") == 1
    assert lab.count(path_regex=STOP) == 1


@pytest.mark.parametrize(
    ("status", "sent"),
    [(400, False), (401, False), (403, False), (500, False), (501, False), (595, False), (596, True)],
)
def test_a_change_that_is_refused_has_not_happened(
    config: ClusterConfig, lab: Cluster, status: int, sent: bool
) -> None:
    lab.faults.reply(STOP, status=status, reason="no", body='{"data":null}')
    error = failure(config)
    assert (error.status, error.sent) == (status, sent)
    assert lab.count(path_regex=STOP) == 1


def test_a_refused_connection_has_sent_nothing(config: ClusterConfig, lab: Cluster) -> None:
    lab.stop()
    error = failure(config)
    assert type(error) is proxmox.ConnectionRefused
    assert not error.sent


def test_an_unknown_name_has_sent_nothing(config: ClusterConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(replace(config, host="pve.example"))
    assert type(error) is proxmox.NameNotFound
    assert not error.sent


@pytest.mark.parametrize(
    "host", ["127.0.0.1/x?", "user:pw@127.0.0.1", "2130706433", "0x7f.1", "127.0.0.1\r\nX: y", "a\0b"]
)
def test_a_host_that_is_none_is_not_looked_up(config: ClusterConfig, lab: Cluster, host: str) -> None:
    assert type(failure(replace(config, host=host))) is proxmox.NameNotFound
    assert lab.count() == 0


def test_a_connection_that_is_closed_before_tls_has_sent_nothing(raw: StartRaw) -> None:
    error = failure(raw(lambda server, conn: None, tls=False).config)
    assert type(error) is proxmox.Unreachable
    assert "ALLOW_FROM" in error.plain
    assert not error.sent


def test_a_server_without_tls_is_none_of_proxmox(raw: StartRaw) -> None:
    error = failure(raw(lambda server, conn: conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), tls=False).config)
    assert type(error) is proxmox.ProtocolError
    assert not error.sent


def close_after(answers: int) -> Speak:
    """Answer so often on the first connection, read one request more, and hang up. Later ones are served."""

    def speak(server: RawServer, conn: socket.socket) -> None:
        served = 0
        while server.read_head(conn):
            if server.connections == 1 and served == answers:
                return
            conn.sendall(VERSION)
            served += 1

    return speak


def test_a_question_is_repeated_once_when_a_kept_connection_is_dropped(raw: StartRaw) -> None:
    server = raw(close_after(1))
    with proxmox.connect(server.config, deadline=TIMEOUT) as pve:
        pve.version()
        assert pve.version().release == "9.2"
    assert (server.connections, len(server.requests)) == (2, 3)


def test_a_question_is_not_repeated_when_a_new_connection_is_dropped(raw: StartRaw) -> None:
    server = raw(close_after(0))
    with proxmox.connect(server.config, deadline=TIMEOUT) as pve, pytest.raises(proxmox.Dropped) as caught:
        pve.version()
    assert len(server.requests) == 1
    assert "repeat" not in caught.value.plain


def test_a_connection_that_was_opened_again_is_a_new_one(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: socket.socket) -> None:
        server.read_head(conn)
        if server.connections == 1:
            conn.sendall(VERSION)

    server = raw(speak)
    with proxmox.connect(server.config, deadline=TIMEOUT) as pve:
        pve.version()
        server.closed.wait(TIMEOUT)
        with pytest.raises(proxmox.Dropped):
            pve.version()
    assert len(server.requests) == 2


def test_a_question_is_repeated_only_once(lab: Cluster, pve: proxmox.Client) -> None:
    pve.version()
    lab.faults.reset("/version")
    with pytest.raises(proxmox.Dropped):
        pve.version()
    assert lab.count(path_regex="/version") == 3


def test_a_change_is_never_repeated_and_has_a_connection_of_its_own(raw: StartRaw) -> None:
    def speak(server: RawServer, conn: socket.socket) -> None:
        if b"POST" in server.read_head(conn):
            return
        conn.sendall(VERSION)
        server.read_head(conn)

    server = raw(speak)
    with proxmox.connect(server.config, deadline=TIMEOUT) as pve:
        pve.version()
        with pytest.raises(proxmox.OutcomeUnknown):
            pve.power("pve1", "qemu", 101, Power.STOP)
    assert server.connections == 2
    assert sum(head.startswith(b"POST") for head in server.requests) == 1


def test_questions_share_a_connection(raw: StartRaw) -> None:
    server = raw(close_after(99))
    with proxmox.connect(server.config, deadline=TIMEOUT) as pve:
        for _ in range(5):
            pve.version()
    assert (server.connections, len(server.requests)) == (1, 5)
