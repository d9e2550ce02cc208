"""VNC's own authentication: DES under the first eight characters of the password. It protects nothing."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

CHALLENGE_SIZE = 16


def response(challenge: bytes, password: str) -> bytes:
    """What a client answers; each byte of the key has its bits mirrored."""
    start = password.encode("latin-1", "replace")[:8].ljust(8, b"\0")
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in start)
    # Three times the same key is DES itself, and VNC knows no other mode of it.
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(challenge)
