"""Login tickets and CSRF tokens: a time and a name under a signature."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from hmac import compare_digest

LIFE = 7200
EARLY = 300


class Tickets:
    """The keys of one cluster: what one node issues, every node of the cluster accepts."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def ticket(self, user: str, now: float) -> str:
        plain = f"PVE:{user}:{_stamp(now)}"
        return f"{plain}::{self._long_signature(plain)}"

    def csrf_token(self, user: str, now: float) -> str:
        stamp = _stamp(now)
        return f"{stamp}:{self._short_signature(f'{stamp}:{user}')}"

    def owner_of(self, ticket: str, now: float) -> str | None:
        """The user to whom this ticket was given, if it is genuine and of the right age."""
        plain, separator, signature = ticket.partition("::")
        parts = plain.split(":")
        if not separator or len(parts) != 3 or parts[0] != "PVE":
            return None
        genuine = compare_digest(self._long_signature(plain).encode(), signature.encode())
        return parts[1] if genuine and _is_current(parts[2], now) else None

    def is_csrf_token_of(self, user: str, token: str, now: float) -> bool:
        stamp, _, signature = token.partition(":")
        wanted = self._short_signature(f"{stamp}:{user}")
        return compare_digest(wanted.encode(), signature.encode()) and _is_current(stamp, now)

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")

    def _short_signature(self, text: str) -> str:
        return b64encode(self._digest(f"csrf:{text}")).decode().rstrip("=")

    def _long_signature(self, text: str) -> str:
        # As long as an RSA signature, since the size of a cookie matters to those who store it.
        return b64encode(b"".join(self._digest(f"{part}:{text}") for part in range(8))).decode()


def new_key(seed: str) -> bytes:
    return hashlib.sha256(f"ticket key of {seed}".encode()).digest()


def _stamp(now: float) -> str:
    return f"{int(now):08X}"


def _is_current(stamp: str, now: float) -> bool:
    try:
        age = now - int(stamp, 16)
    except ValueError:
        return False
    return -EARLY <= age <= LIFE
