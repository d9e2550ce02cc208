"""Time-based one-time passwords (RFC 6238): six digits, thirty seconds, SHA-1."""

from __future__ import annotations

import hmac
from base64 import b32decode

STEP = 30
# One step early or late is forgiven.
TOLERANCE = (0, -1, 1)


def code(secret: str, now: float) -> str:
    """The code which an authenticator with this base32 secret shows."""
    counter = int(now // STEP).to_bytes(8, "big")
    digest = hmac.digest(b32decode(secret + "=" * (-len(secret) % 8)), counter, "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def is_valid(secret: str, given: str, now: float) -> bool:
    codes = (code(secret, now + STEP * step) for step in TOLERANCE)
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in codes)
