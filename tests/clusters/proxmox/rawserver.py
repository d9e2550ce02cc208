"""A server that says byte for byte what a test wants said."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache

from accounts.encrypted_fields import Secret
from clusters.config import ClusterConfig
from pvesim.tls import Authority, Certificate, server_context

MARKER = "6c9a4f0e-marker"
Script = Callable[[socket.socket], None]


@cache
def certificate() -> Certificate:
    return Authority("raw").issue("raw")


@dataclass
class RawServer:
    """Hands each connection to the script, on a thread of its own. `requests` has the heads that were read."""

    script: Script
    tls: bool = True
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._certificate = certificate()
        self._context = server_context(self._certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._speaking: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def config(self) -> ClusterConfig:
        return ClusterConfig(
            cluster_id="raw",
            name="Raw",
            host="127.0.0.1",
            port=self.port,
            user="portal@pve",
            token_id="portal@pve!labs",
            token_secret=Secret(MARKER),
            fingerprint=self._certificate.fingerprint,
        )

    def read_head(self, conn: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (part := conn.recv(4096)):
                raise ConnectionError
            head += part
        self.requests.append(head)
        return head

    def await_end(self, conn: socket.socket) -> None:
        """Say nothing more, until the other side has had enough."""
        while conn.recv(4096):
            pass

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for conn in self._open:
            with suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for thread in (self._thread, *self._speaking):
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(conn)
            self._speaking.append(threading.Thread(target=self._speak, args=(conn,), daemon=True))
            self._speaking[-1].start()

    def _speak(self, conn: socket.socket) -> None:
        with suppress(OSError), closing(conn):
            if self.tls:
                conn = self._context.wrap_socket(conn, server_side=True)
                self._open.append(conn)
            with closing(conn):
                self.script(conn)
        self.closed.set()


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


VERSION = ok(b'{"data":{"version":"9.2.11","release":"9.2"}}')

Speak = Callable[[RawServer, socket.socket], None]
StartRaw = Callable[[Speak], RawServer]
