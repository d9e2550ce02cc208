"""An address that drops what knocks, as a firewall does."""

import socket
from contextlib import ExitStack


def blackhole(opened: ExitStack) -> tuple[str, int]:
    """A listener whose backlog is full, as long as the stack is open."""
    listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(4):
        knocking = opened.enter_context(socket.socket())
        knocking.setblocking(False)
        knocking.connect_ex(listener.getsockname())
    return listener.getsockname()
