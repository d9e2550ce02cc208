"""Nothing that is on a clipboard passes from a display to a browser, and everything else does, to the byte."""

import random
import struct

import pytest

from vms.console.close_codes import Ended
from vms.console.server_messages import ServerFilter

FORMAT = b"\x20\x18\0\1" + b"\0\xff" * 3 + b"\x10\x08\0" + b"\0" * 3
BEGIN = struct.pack(">HH", 640, 480) + FORMAT + struct.pack(">I", 4) + b"pc-1"
CUT = struct.pack(">BxxxI", 3, 6) + b"secret"
EXTENDED = struct.pack(">Bxxxi", 3, -70_000) + b"secret" * 11_666 + b"secr"
BODY = b"\x03\0\0\0\0\0\0\x06" * 4  # as a clipboard begins, inside of a picture


def update(*rectangles: bytes, count: int | None = None) -> bytes:
    return struct.pack(">BxH", 0, len(rectangles) if count is None else count) + b"".join(rectangles)


def rectangle(encoding: int, body: bytes, width: int = 4, height: int = 2) -> bytes:
    return struct.pack(">HHHHi", 0, 0, width, height, encoding) + body


def packed(data: bytes) -> bytes:
    size = len(data)
    return bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])


def sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


LONG = BODY * 20
MESSAGES = {
    "raw": update(rectangle(0, BODY)),
    "copied": update(rectangle(1, b"\x03abc")),
    "RRE": update(rectangle(2, struct.pack(">I", 2) + b"back" + b"colrxxyywwhh" * 2)),
    "zlib": update(rectangle(6, sized(BODY))),
    "ZRLE": update(rectangle(16, sized(BODY))),
    "H.264": update(rectangle(50, struct.pack(">II", len(BODY), 1) + BODY)),
    "one colour": update(rectangle(7, b"\x80rgb")),
    "JPEG": update(rectangle(7, b"\x90" + packed(LONG) + LONG)),
    "PNG": update(rectangle(-260, b"\xa0" + packed(BODY) + BODY)),
    "packed": update(rectangle(7, b"\x00" + packed(BODY) + BODY)),
    "too small to be packed": update(rectangle(7, b"\x00" + b"rgb" * 3, width=3, height=1)),
    "of two colours": update(rectangle(7, b"\x40\x01\x01" + b"rgb" * 2 + b"\x0f\xf0")),
    "of many colours": update(rectangle(7, b"\x40\x01\x04" + b"rgb" * 5 + b"\x03" * 8)),
    "with a gradient": update(rectangle(7, b"\x40\x02" + packed(BODY) + BODY)),
    "cursor": update(rectangle(-239, b"p" * 32 + b"mm")),
    "name, lights and screens": update(
        rectangle(-307, sized(b"pc")), rectangle(-261, b"\x03"), rectangle(-308, b"\x01\0\0\0" + b"\x03" * 16)
    ),
    "until the last": update(rectangle(0, BODY), rectangle(-224, b""), count=0xFFFF),
    "nothing": update(),
    "colours": struct.pack(">BxHH", 1, 0, 2) + b"\x03" * 12,
    "bell": b"\x02",
    "fence": struct.pack(">BxxxIB", 248, 1, 3) + b"\x03\0\0",
    "power": b"\xfa\0\1\1",
    "sound": struct.pack(">BBHI", 255, 1, 2, len(BODY)) + BODY,
    "sound begins": struct.pack(">BBH", 255, 1, 1),
    "no more by itself": b"\x96",
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_what_is_beside_a_clipboard_passes(message: bytes):
    assert ServerFilter().feed(BEGIN + message + CUT + message + EXTENDED + message) == BEGIN + message * 3


def test_it_does_not_matter_how_the_messages_are_cut():
    dice = random.Random(5)  # noqa: S311 - for a test
    for _ in range(20):
        messages = dice.choices([*MESSAGES.values(), CUT, EXTENDED], k=30)
        stream, pictures, passed = BEGIN + b"".join(messages), ServerFilter(), b""
        while stream:
            size = dice.choice([1, 3, 7, 50, 100_000])
            passed += pictures.feed(stream[:size])
            stream = stream[size:]
        assert passed == BEGIN + b"".join(one for one in messages if one not in {CUT, EXTENDED})


def test_the_browsers_pixel_format_counts():
    small = b"\x10\x10\0\1" + b"\0\x1f" * 3 + b"\x0b\x05\0" + b"\0" * 3
    asked = [b""]
    pictures = ServerFilter(lambda: asked[0])
    assert pictures.feed(BEGIN + update(rectangle(0, BODY)) + CUT) == BEGIN + update(rectangle(0, BODY))
    asked[0] = small
    for message in (update(rectangle(0, BODY[:16])), update(rectangle(7, b"\x80rg"))):
        assert pictures.feed(message + CUT) == message


@pytest.mark.parametrize(
    "message", [b"\x07", b"\xff\x02\0\0", update(rectangle(5, b"")), update(rectangle(7, b"\xb0"))]
)
def test_what_nobody_can_follow_ends_the_console(message: bytes):
    with pytest.raises(Ended):
        ServerFilter().feed(BEGIN + message)


def test_what_passes_is_not_kept():
    pictures = ServerFilter()
    pictures.feed(BEGIN + struct.pack(">BxH", 0, 1) + struct.pack(">HHHHi", 0, 0, 60_000, 60_000, 0))
    for _ in range(100):
        assert len(pictures.feed(b"\0" * 100_000)) == 100_000
    assert pictures._rest == b""
