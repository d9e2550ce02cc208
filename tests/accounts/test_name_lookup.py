"""Host names, looked up in time."""

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from accounts import name_lookup
from accounts.sign_in.ldap import tls


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server that does not answer."""
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: ended.wait(10) and [])
    yield
    ended.set()


@pytest.mark.usefixtures("silent")
def test_a_name_server_that_does_not_answer_is_not_waited_for():
    with pytest.raises(TimeoutError):
        name_lookup.look_up("dc.school.example", 636, patience=0.05)
    source: Any = SimpleNamespace(start_tls=False, ca_certificates="")
    with pytest.raises(TimeoutError):
        tls.certificate(source, "ldaps://dc.school.example", 0.05)


def test_an_unknown_name_and_one_that_is_none():
    assert name_lookup.look_up("nobody.invalid", 636, patience=10) == []
    assert name_lookup.look_up("x" * 80 + ".example", 636, patience=10) == []
    with pytest.raises(ConnectionRefusedError):
        name_lookup.connect("x" * 80 + ".example", 636, patience=10)


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        kinds = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*kinds, ("127.0.0.2", port)), (*kinds, ("127.0.0.1", port))]
        ask = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: found if host == "dc.example" else ask(host, *a, **k)
        )
        with name_lookup.connect("dc.example", port, patience=10) as connected:
            assert connected.getpeername() == ("127.0.0.1", port)
