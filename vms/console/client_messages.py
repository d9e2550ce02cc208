"""Messages from browser to display (RFC 6143 and its extensions), and which of them pass.

No clipboard passes: a display sends what one browser puts there to all others. A person who may only watch can only
request pictures.
"""

from collections.abc import Collection, Iterator

from vms.console import close_codes
from vms.console.close_codes import Ended

SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST = 0, 2, 3
KEY, POINTER, CUT_TEXT = 4, 5, 6
CONTINUOUS_UPDATES, XVP, FENCE, SET_DESKTOP_SIZE, QEMU = 150, 250, 248, 251, 255

# Messages of a fixed length.
LENGTHS = {SET_PIXEL_FORMAT: 20, UPDATE_REQUEST: 10, KEY: 8, POINTER: 6, CONTINUOUS_UPDATES: 10, XVP: 4}
HARMLESS = {SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST, CONTINUOUS_UPDATES, FENCE}
INPUT = {KEY, POINTER, XVP, SET_DESKTOP_SIZE, QEMU}
# The number of bytes that tell the length of the others.
HEADS = {SET_ENCODINGS: 4, CUT_TEXT: 8, FENCE: 9, SET_DESKTOP_SIZE: 8, QEMU: 4}

MAX_ENCODINGS = 1000
MAX_FENCE = 64
# What displays may answer with: only what `server_messages` can parse, and nothing that changes pointer messages.
PICTURES = {0, 1, 2, 6, 7, 16, 50, -260}
PSEUDO_ENCODINGS = {-224, -223, -239, -261, -307, -308, -309, -312, -313}
QUALITY_LEVELS = {*range(-32, -22), *range(-256, -246), *range(-512, -411)}
KEY_CODES = -258
ENCODINGS = PICTURES | PSEUDO_ENCODINGS | QUALITY_LEVELS


class ClientFilter:
    """Passes messages of these kinds, and these encodings. Only complete messages pass.

    Dropped bytes are counted, not stored. `pixel_format` is what the browser requested last. `has_input` is set when a
    key or the pointer passes; whoever reads it resets it.
    """

    def __init__(self, kinds: Collection[int], encodings: Collection[int]) -> None:
        self._kinds, self._encodings = kinds, encodings
        self.pixel_format = b""
        self.has_input = False
        self._rest = b""
        self._to_skip = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that pass. Raises `Ended` for an unknown message."""
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._rest += data[skipped:]
        return b"".join(self._passing())

    def _passing(self) -> Iterator[bytes]:
        while self._rest and (length := self._length()):
            kind = self._rest[0]
            if kind in self._kinds and len(self._rest) < length:
                return
            message, self._rest = self._rest[:length], self._rest[length:]
            if kind in self._kinds:
                self.has_input = self.has_input or _is_by_hand(message)
                yield self._checked(message)
            else:
                self._to_skip = length - len(message)

    def _checked(self, message: bytes) -> bytes:
        if message[0] == SET_PIXEL_FORMAT:
            if self.pixel_format not in {b"", message[4:]}:  # nobody could tell when the display begins to use it
                raise Ended(close_codes.BAD_MESSAGE, "a second pixel format")
            self.pixel_format = message[4:]
        return _with_encodings(message, self._encodings) if message[0] == SET_ENCODINGS else message

    def _length(self) -> int:
        """The length of the message that begins here; 0 while it is not known."""
        kind = self._rest[0]
        if fixed := LENGTHS.get(kind):
            return fixed
        head = HEADS.get(kind)
        if head is None:
            raise Ended(close_codes.BAD_MESSAGE, f"message {kind} is not known")
        return _length_by(kind, self._rest[:head]) if len(self._rest) >= head else 0


def _is_by_hand(message: bytes) -> bool:
    """Keys and the pointer. The size of the screen and sound are the browser's own doing."""
    return message[0] in {KEY, POINTER} or (message[0] == QEMU and message[1] == 0)


def _length_by(kind: int, head: bytes) -> int:
    if kind == CUT_TEXT:
        return 8 + abs(int.from_bytes(head[4:8], signed=True))
    if kind == SET_DESKTOP_SIZE:
        return 8 + 16 * head[6]
    if kind == QEMU:
        return _length_of_qemu(head)
    count = head[8] if kind == FENCE else int.from_bytes(head[2:4])
    if count > (MAX_FENCE if kind == FENCE else MAX_ENCODINGS):
        raise Ended(close_codes.BAD_MESSAGE, "a message is too long")
    return 9 + count if kind == FENCE else 4 + 4 * count


def _length_of_qemu(head: bytes) -> int:
    kind, operation = head[1], int.from_bytes(head[2:4])
    if kind == 0:
        return 12  # a key with its code
    if kind == 1 and operation <= 2:
        return 10 if operation == 2 else 4  # sound
    raise Ended(close_codes.BAD_MESSAGE, "a message of QEMU is not known")


def view_only() -> ClientFilter:
    return ClientFilter(HARMLESS, ENCODINGS)


def control() -> ClientFilter:
    return ClientFilter(HARMLESS | INPUT, ENCODINGS | {KEY_CODES})


def _with_encodings(message: bytes, encodings: Collection[int]) -> bytes:
    """SetEncodings, reduced to these encodings."""
    each = [message[start : start + 4] for start in range(4, len(message), 4)]
    kept = [one for one in each if int.from_bytes(one, signed=True) in encodings]
    return message[:2] + len(kept).to_bytes(2) + b"".join(kept)
