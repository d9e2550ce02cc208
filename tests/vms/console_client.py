"""A browser's side of a console: the portal served by the product's server, permits, and a little VNC client."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import uvicorn
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from accounts.models import User
from tests.waits import TIMEOUT

VERSION = b"RFB 003.008\n"


def key(code: int) -> bytes:
    """Pressed and released."""
    return struct.pack(">BBxxI", 4, 1, code) + struct.pack(">BBxxI", 4, 0, code)


def update(*, incremental: bool = False) -> bytes:
    return struct.pack(">BBHHHH", 3, incremental, 0, 0, 64, 48)


class Portal:
    """Where it is served; every test has one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"

    def open(self, path: str, client: Client | None, *, origin: str | None = "") -> ClientConnection:
        """`origin` empty: its own; None: none is said."""
        cookie = client.cookies.get("sessionid") if client else None
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            origin=None if origin is None else Origin(origin or self.origin),
            additional_headers={"Cookie": f"sessionid={cookie.value}"} if cookie else {},
            subprotocols=["binary"],  # type: ignore[list-item]
            compression=None,
            proxy=None,
            close_timeout=1,
            legacy=True,
        )

    def view(self, path: str, client: Client) -> "VncClient":
        return VncClient(self.open(path, client))


@contextmanager
def served(**more: Any) -> Iterator[Portal]:
    from labportal import asgi  # noqa: PLC0415 - needs the test's settings

    flags = {"loop": "uvloop", "http": "httptools", "ws": "websockets-sansio", "ws_per_message_deflate": False}
    options: dict[str, Any] = {**flags, "log_config": None, "lifespan": "off", **more}
    config = uvicorn.Config(asgi.application, **options)
    server = uvicorn.Server(config)
    # Threads that make pages stay, and with them the database of the test in which they began.
    with mock.patch.object(asgi, "pages", asgi.Pages()), socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield Portal(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(TIMEOUT)
            assert not thread.is_alive()


@pytest.fixture
def portal(request: pytest.FixtureRequest) -> Iterator[Portal]:
    """Its parameter, if it has one, has more options of the server."""
    with served(**getattr(request, "param", {})) as portal:
        yield portal


class VncClient:
    """As far as a display that is shown. `name` is what the display is called."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._rest = b""
        assert self.exactly(12) == VERSION
        self.send(VERSION)
        self.types = self.exactly(self.exactly(1)[0])
        self.send(self.types[:1])
        assert self.exactly(4) == b"\0\0\0\0"
        self.send(b"\0")
        self.size = struct.unpack(">HH", self.exactly(4))
        self.exactly(16)
        self.name = self.exactly(int.from_bytes(self.exactly(4))).decode()

    def send(self, data: bytes) -> None:
        self.websocket.send(data)

    def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._rest += self.websocket.recv(timeout=TIMEOUT, decode=False)
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def sees_something(self) -> bool:
        """Whether the display answers."""
        self.send(update())
        return self.exactly(1) == b"\0"

    def close(self) -> None:
        self.websocket.close()


def end_of(websocket: ClientConnection, *, within: float = TIMEOUT) -> int:
    """The code by which it is closed."""
    until = time.monotonic() + within
    try:
        while time.monotonic() < until:
            websocket.recv(timeout=within)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise TimeoutError


def eventually(condition: Any, *, within: float = TIMEOUT) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def grant(client: Client, pk: int, mode: str = "control") -> Any:
    return client.post(f"/vms/{pk}/console/grant/", {"mode": mode})


def permit(client: Client, pk: int, mode: str = "control") -> str:
    """The path of a websocket."""
    answer = grant(client, pk, mode)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["socket"])
