"""Login tickets and CSRF tokens: a time and a name under a signature."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from hmac import compare_digest

LIFE = 7200
EARLY = 300
VNC_LIFE = 40
VNC_EARLY = 20
CHALLENGE = '!tfa!{"totp"%3Atrue}'


class Tickets:
    """The keys of one cluster: what one node issues, every node of the cluster accepts."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.csrf_salt = "csrf"
        # By how many seconds the clocks of the nodes go wrong.
        self.drift = 0.0
        # For how many seconds a ticket opens a console.
        self.vnc_life = VNC_LIFE

    def ticket(self, user: str, now: float) -> str:
        plain = f"PVE:{user}:{_stamp(now + self.drift)}"
        return f"{plain}::{self._long_signature(plain)}"

    def challenge(self, user: str, now: float) -> str:
        """What stands between the two steps of a login. It does not name the user, but is good for this one only."""
        plain = f"PVE:{CHALLENGE}:{_stamp(now + self.drift)}"
        return f"{plain}::{self._long_signature(f'{plain}:{user}')}"

    def is_challenge_of(self, user: str, challenge: str, now: float) -> bool:
        plain, _, signature = challenge.partition("::")
        genuine = compare_digest(self._long_signature(f"{plain}:{user}").encode(), signature.encode())
        return genuine and plain.startswith(f"PVE:{CHALLENGE}:") and self._is_current(plain[-8:], now)

    def csrf_token(self, user: str, now: float) -> str:
        stamp = _stamp(now + self.drift)
        return f"{stamp}:{self._short_signature(f'{stamp}:{user}')}"

    def owner_of(self, ticket: str, now: float) -> str | None:
        """The user to whom this ticket was given, if it is genuine and of the right age."""
        plain, separator, signature = ticket.partition("::")
        parts = plain.split(":")
        if not separator or len(parts) != 3 or parts[0] != "PVE":
            return None
        genuine = compare_digest(self._long_signature(plain).encode(), signature.encode())
        return parts[1] if genuine and self._is_current(parts[2], now) else None

    def vnc_ticket(self, identity: str, path: str, now: float) -> str:
        """Opens the console at a path, which is more than one when it names the port, too."""
        plain = f"PVEVNC:{_stamp(now + self.drift)}"
        return f"{plain}::{self._long_signature(f'{plain}:{identity}:{path}')}"

    def is_vnc_ticket_of(self, identity: str, path: str, ticket: str, now: float) -> bool:
        """Whatever stands before the ticket itself is of no importance."""
        plain, _, signature = ticket[ticket.rfind("PVEVNC:") :].partition("::")
        wanted = self._long_signature(f"{plain}:{identity}:{path}")
        genuine = plain.startswith("PVEVNC:") and compare_digest(wanted.encode(), signature.encode())
        return genuine and self._is_current(plain[-8:], now, VNC_EARLY, self.vnc_life)

    def is_csrf_token_of(self, user: str, token: str, now: float) -> bool:
        stamp, _, signature = token.partition(":")
        wanted = self._short_signature(f"{stamp}:{user}")
        return compare_digest(wanted.encode(), signature.encode()) and self._is_current(stamp, now)

    def _is_current(self, stamp: str, now: float, early: int = EARLY, life: int = LIFE) -> bool:
        try:
            age = now + self.drift - int(stamp, 16)
        except ValueError:
            return False
        return -early <= age <= life

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode(), "sha256")

    def _short_signature(self, text: str) -> str:
        return b64encode(self._digest(f"{self.csrf_salt}:{text}")).decode().rstrip("=")

    def _long_signature(self, text: str) -> str:
        # As long as an RSA signature, since the size of a cookie matters to those who store it.
        return b64encode(b"".join(self._digest(f"{part}:{text}") for part in range(8))).decode()


def new_key(seed: str) -> bytes:
    return hashlib.sha256(f"ticket key of {seed}".encode()).digest()


def _stamp(now: float) -> str:
    return f"{int(now):08X}"
