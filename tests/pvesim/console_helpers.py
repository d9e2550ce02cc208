"""What tests of consoles have in common."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from .conftest import Api
from .vnc_client import Viewer

WEB = "/nodes/pve1/qemu/101"
BOX = "/nodes/pve2/lxc/201"
UNANSWERED = (InvalidMessage, EOFError, ConnectionError, ssl.SSLError)


def refusal(api: Api, path: str, given: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        Viewer(api, path, given)
    return caught.value.response.status_code, caught.value.response.reason_phrase


def ends(viewer: Viewer) -> None:
    """The connection breaks off without a closing handshake."""
    with pytest.raises(ConnectionClosed) as caught:
        viewer.drain()
    assert caught.value.rcvd is None


@contextmanager
def opened(api: Api, path: str = WEB) -> Iterator[Viewer]:
    """A viewer which has seen the whole picture."""
    with Viewer(api, path) as viewer:
        viewer.open()
        viewer.ask(incremental=False)
        [(x, y, *size, pixels)] = viewer.update()
        assert (x, y, *size) == (0, 0, *viewer.size)
        assert len(set(struct.iter_unpack("4s", pixels))) > 3
        yield viewer
