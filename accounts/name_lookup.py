"""Looks up host names with a deadline, which the system's resolver does not know."""

import ipaddress
import socket
import threading
import time
from typing import Any


def look_up(host: str, port: int, *, patience: float) -> list[Any]:
    """What `socket.getaddrinfo` says for TCP; empty: no such name. Raises `TimeoutError` after `patience` seconds.

    A name is looked up on a thread that may be left behind.
    """
    if _is_literal(host):
        return _ask_system(host, port)
    answers: list[list[Any]] = []
    asking = threading.Thread(target=lambda: answers.append(_ask_system(host, port)), daemon=True)
    asking.start()
    asking.join(patience)
    if not answers:
        raise TimeoutError
    return answers[0]


def connect(host: str, port: int, *, patience: float) -> socket.socket:
    """Like `socket.create_connection`, with `patience` seconds for the name and all its addresses. Raises `OSError`."""
    ends_at = time.monotonic() + patience
    failure: OSError = ConnectionRefusedError()
    for *_, address in look_up(host, port, patience=patience):
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            connected = socket.create_connection(address[:2], timeout=left)
        except OSError as error:
            failure = error
        else:
            connected.settimeout(patience)
            return connected
    raise failure


def _ask_system(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
