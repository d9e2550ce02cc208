"""The end of a call, and what it is called when there is no connection, or none that can be trusted."""

import socket
import ssl
from types import SimpleNamespace
from typing import Any

import pytest
from urllib3.exceptions import SSLError

from clusters import proxmox
from clusters.proxmox import hosts, sockets


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is."""
    found = SimpleNamespace(now=100.0)
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_a_deadline_begins_with_the_call(moment: SimpleNamespace) -> None:
    deadline = sockets.Deadline(8.0)
    assert deadline.is_over
    deadline.restart()
    moment.now += 6
    assert (deadline.left(), deadline.is_over) == (2.0, False)
    moment.now += 2
    for _ in range(2):
        assert deadline.is_over
        with pytest.raises(TimeoutError):
            deadline.left()
        moment.now += 1


def test_a_part_of_it_ends_earlier_and_the_whole_is_there_again(moment: SimpleNamespace) -> None:
    deadline = sockets.Deadline(8.0)
    deadline.restart()
    moment.now += 4
    with deadline.only(0.25):
        assert deadline.left() == 1.0
        moment.now += 1
    assert deadline.left() == 3.0
    moment.now += 5
    with deadline.only(0.5):
        assert deadline.is_over
    moment.now -= 3
    assert deadline.left() == 1.0


def addresses(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    targets = [
        hosts.Target(socket.AF_INET, socket.SOCK_STREAM, 6, ("127.0.0.1", port)) for port in range(1, number + 1)
    ]
    monkeypatch.setattr(hosts, "resolve", lambda *_, **__: targets)


def test_each_address_has_its_part_of_what_is_left(moment: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, 4)
    left = []

    def hang(_target: hosts.Target, deadline: sockets.Deadline) -> None:
        left.append(deadline.left())
        moment.now += left[-1]
        raise TimeoutError

    monkeypatch.setattr(sockets, "open_target", hang)
    deadline = sockets.Deadline(12.0)
    deadline.restart()
    with pytest.raises(proxmox.TimedOut):
        sockets.open_to("pve.test", 8006, deadline)
    assert left == [3.0] * 4


def test_a_name_without_an_address_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch, 0)
    deadline = sockets.Deadline(9.0)
    deadline.restart()
    with pytest.raises(proxmox.NameNotFound):
        sockets.open_to("pve.test", 8006, deadline)


def test_a_connection_sends_small_messages_at_once_and_waits_no_longer_than_the_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        deadline = sockets.Deadline(9.0)
        deadline.restart()
        target = hosts.Target(socket.AF_INET, socket.SOCK_STREAM, 6, server.getsockname())
        with sockets.open_target(target, deadline) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert 0 < (sock.gettimeout() or 0) <= 9.0


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), proxmox.TimedOut, "in time"),
        (ConnectionRefusedError(), proxmox.Unreachable, "refuses connections"),
        (OSError(113, "No route to host"), proxmox.Unreachable, "(No route to host)"),
        (OSError(), proxmox.Unreachable, "(network error)"),
    ],
)
def test_why_there_is_no_connection(
    monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[proxmox.ProxmoxError], words: str
) -> None:
    addresses(monkeypatch, 1)

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(sockets, "open_target", fail)
    deadline = sockets.Deadline(9.0)
    deadline.restart()
    with pytest.raises(kind) as caught:
        sockets.open_to("pve.test", 8006, deadline)
    assert words in caught.value.plain
    assert not caught.value.sent


def unverified(why: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = why
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (unverified("self-signed"), proxmox.CertificateRejected, "not trusted (self-signed)"),
        (unverified(""), proxmox.CertificateRejected, "not trusted (verification failed)"),
        (SSLError("pinned"), proxmox.CertificateRejected, "is not trusted."),
        (TimeoutError(), proxmox.TimedOut, "in time"),
        (ssl.SSLEOFError(), proxmox.Unreachable, "before it was encrypted"),
        (ssl.SSLZeroReturnError(), proxmox.Unreachable, "before it was encrypted"),
        (ConnectionResetError(), proxmox.Unreachable, "before it was encrypted"),
        (ssl.SSLError("wrong version number"), proxmox.ProtocolError, "not TLS"),
    ],
)
def test_why_a_connection_cannot_be_trusted(error: Exception, kind: type[proxmox.ProxmoxError], words: str) -> None:
    failure = sockets.tls_error(error)
    assert type(failure) is kind
    assert words in failure.plain
    assert not failure.sent
