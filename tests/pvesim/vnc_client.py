"""A small VNC client over a websocket, for tests of consoles."""

from __future__ import annotations

import ssl
import struct
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from pvesim.console import vncauth
from tests.waits import TIMEOUT

from .conftest import Api

Rectangle = tuple[int, int, int, int, bytes]
SHIFT, RETURN, DELETE = 0xFFE1, 0xFF0D, 0xFFFF


def proxy(api: Api, path: str, **form: Any) -> dict[str, Any]:
    answer = api.post(f"{path}/vncproxy", **{"websocket": 1, **form})
    assert answer.status_code == 200, answer.reason
    return dict(answer.json()["data"])


class Viewer:
    """Connects at once; `log_in` and `open` go on from there."""

    def __init__(self, api: Api, path: str, given: dict[str, Any] | None = None, **options: Any) -> None:
        self.given = proxy(api, path) if given is None else given
        query = urlencode({"port": self.given["port"], "vncticket": self.given["ticket"]})
        headers = {name: str(api.session.headers[name]) for name in ("Authorization",) if name in api.session.headers}
        tls = ssl.create_default_context(cafile=str(api.session.verify))
        # With TLS 1.3 a server sends session tickets after the handshake: the client's reading thread takes them while
        # this one writes, Python 3.11 gives OpenSSL both at once, and now and then the connection is lost.
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        url = f"{api.url.replace('https', 'wss')}/api2/json{path}/vncwebsocket?{query}"
        defaults: dict[str, Any] = {
            "compression": None,
            "proxy": None,
            "ping_interval": None,
            "close_timeout": 0.1,
            "legacy": True,
        }
        self.websocket: ClientConnection = connect(
            url, ssl=tls, additional_headers=headers, **{"subprotocols": ["binary"], **defaults, **options}
        )
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.websocket.close()

    def receive(self, count: int, timeout: float = TIMEOUT) -> bytes:
        while len(self._kept) < count:
            message = self.websocket.recv(timeout)
            assert isinstance(message, bytes)
            self._kept += message
        result, self._kept = self._kept[:count], self._kept[count:]
        return result

    def drain(self) -> None:
        """Read on until the connection ends."""
        while True:
            self.receive(1)

    def send(self, layout: str, *values: Any) -> None:
        self.websocket.send(struct.pack(layout, *values))

    def log_in(self, password: str | None = None) -> int:
        """The result: 0 is success."""
        assert self.receive(12) == b"RFB 003.008\n"
        self.websocket.send(b"RFB 003.008\n")
        assert self.receive(2) == b"\x01\x02"
        self.websocket.send(b"\x02")
        known = password or self.given.get("password") or self.given["ticket"]
        self.websocket.send(vncauth.response(self.receive(16), known))
        [result] = struct.unpack(">I", self.receive(4))
        return int(result)

    def open(self, password: str | None = None) -> tuple[int, int, str]:
        """Width, height and title."""
        assert self.log_in(password) == 0
        self.websocket.send(b"\x01")
        width, height = struct.unpack(">HH", self.receive(4))
        self.receive(16)
        [length] = struct.unpack(">I", self.receive(4))
        self.size = (width, height)
        return width, height, self.receive(length).decode()

    def ask(self, incremental: bool = True) -> None:
        self.send(">B?HHHH", 3, incremental, 0, 0, *self.size)

    def update(self, bytes_per_pixel: int = 4, timeout: float = TIMEOUT) -> list[Rectangle]:
        kind, count = struct.unpack(">BxH", self.receive(4, timeout))
        assert kind == 0
        return [self._rectangle(bytes_per_pixel) for _ in range(count)]

    def _rectangle(self, bytes_per_pixel: int) -> Rectangle:
        x, y, width, height, encoding = struct.unpack(">HHHHi", self.receive(12))
        size = 0 if encoding else width * height * bytes_per_pixel
        return x, y, width, height, self.receive(size)

    def key(self, keysym: int) -> None:
        self.send(">B?xxI", 4, True, keysym)
        self.send(">B?xxI", 4, False, keysym)

    def type(self, text: str) -> None:
        for sign in text:
            self.key(ord(sign))

    def point(self, x: int, y: int, buttons: int = 0) -> None:
        self.send(">BBHH", 5, buttons, x, y)
