"""The first steps of the VNC protocol (RFB 3.8), as the one who asks for a display: version, password, verdict."""

from collections.abc import Awaitable, Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from clusters.proxmox.errors import ProtocolError, Refused

VERSION = b"RFB 003.008\n"
VNC_AUTHENTICATION = 2
MAX_REASON = 200

Exactly = Callable[[int], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]


async def log_in(exactly: Exactly, send: Send, password: str) -> None:
    """Up to where the client says whether it shares the display.

    `exactly(n)` returns n bytes. Raises `ProtocolError` for what is no display of Proxmox VE, and `Refused` when it
    does not take the password.
    """
    banner = await exactly(12)
    if banner != VERSION:
        raise ProtocolError("the display speaks another protocol than RFB 3.8")
    await send(VERSION)
    count = (await exactly(1))[0]
    if not count:
        raise Refused(f"The display turned the portal away ({await _reason(exactly)}). Try again in half a minute.")
    offered = await exactly(count)
    if VNC_AUTHENTICATION not in offered:
        types = ", ".join(map(str, offered[:8]))
        raise ProtocolError(f"the display offers no VNC password, but the security types {types}")
    await send(bytes([VNC_AUTHENTICATION]))
    await send(answer(await exactly(16), password))
    if int.from_bytes(await exactly(4)):
        raise Refused("The display did not take its one-time password. Open the console again.")


def answer(challenge: bytes, password: str) -> bytes:
    """DES with a key of eight characters whose bits are mirrored. It protects nothing, the TLS around it does."""
    key = password.encode("latin-1", "replace")[:8].ljust(8, b"\0")
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    cipher = Cipher(TripleDES(mirrored * 3), modes.ECB()).encryptor()  # noqa: S305 - three times the same is DES
    return cipher.update(challenge) + cipher.finalize()


async def _reason(exactly: Exactly) -> str:
    length = int.from_bytes(await exactly(4))
    text = await exactly(min(length, MAX_REASON))
    return "".join(char for char in text.decode("latin-1") if char.isprintable()) or "without a reason"
