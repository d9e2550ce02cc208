"""What passes of a browser's messages when somebody may only look."""

import random
import struct
from collections.abc import Callable

import pytest

from tests.vms.console_client import key, update
from vms.console.client_messages import ClientFilter, control, view_only
from vms.console.close_codes import Ended

FORMAT = b"\0" * 4 + b"\x20\x18\0\1" + b"\0\xff" * 3 + b"\x10\x08\0" + b"\0" * 3
POINTER = struct.pack(">BBHH", 5, 1, 10, 10)
CUT = struct.pack(">BxxxI", 6, 5) + b"hello"
BIG_CUT = struct.pack(">Bxxxi", 6, -70_000) + b"\x04" * 70_000
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 97, 30)
SOUND = struct.pack(">BBH", 255, 1, 0)
SIZE = struct.pack(">BxHHBx", 251, 800, 600, 1) + b"\0" * 16
FENCE = struct.pack(">BxxxIB", 248, 1, 3) + b"abc"
CONTINUOUS = struct.pack(">BBHHHH", 150, 1, 0, 0, 9, 9)
POWER = bytes([250, 0, 1, 2])


def encodings(*numbers: int) -> bytes:
    return struct.pack(f">BxH{len(numbers)}i", 2, len(numbers), *numbers)


PASSING = [FORMAT, update(), encodings(0, 7), FENCE, CONTINUOUS]
KEPT_OUT = [key(97), POINTER, CUT, BIG_CUT, QEMU_KEY, SOUND, SIZE, POWER]


@pytest.mark.parametrize("message", PASSING)
def test_what_asks_for_pictures_passes(message: bytes):
    assert view_only().feed(message) == message


@pytest.mark.parametrize("message", KEPT_OUT)
def test_what_acts_does_not(message: bytes):
    assert view_only().feed(message + update()) == update()


def test_it_does_not_matter_how_the_messages_are_cut():
    dice = random.Random(5)  # noqa: S311 - for a test
    for _ in range(20):
        messages = dice.choices(PASSING + KEPT_OUT, k=12)
        stream, looking, passed = b"".join(messages), view_only(), b""
        while stream:
            size = dice.choice([1, 3, 7, 50, 100_000])
            passed += looking.feed(stream[:size])
            stream = stream[size:]
        assert passed == b"".join(one for one in messages if one in PASSING)


def test_encodings_that_change_how_input_looks_are_left_out():
    assert view_only().feed(encodings(7, -316, 0, -258)) == encodings(7, 0)


@pytest.mark.parametrize("message", [b"\x07rest", b"\xff\x02\0\0", b"\x02\0\xff\xff", FENCE[:8] + b"\xff"])
def test_what_nobody_knows_ends_the_console(message: bytes):
    with pytest.raises(Ended):
        view_only().feed(message)


# Raw, CopyRect, RRE, ZRLE and their like, the desktop's size and its news, then the levels of quality and compression.
KNOWN = {
    *(0, 1, 2, 6, 7, 16, 50, -260), *(-224, -223, -239, -261, -307, -308, -309, -312, -313),
    *range(-32, -22), *range(-256, -246), *range(-512, -411),
}  # fmt: skip


@pytest.mark.parametrize(("said", "known"), [(view_only, KNOWN), (control, KNOWN | {-258})])
def test_these_encodings_pass_and_no_others(said: Callable[[], ClientFilter], known: set[int]):
    for asked in range(-900, -1), range(-1, 900):
        assert said().feed(encodings(*asked)) == encodings(*(one for one in asked if one in known))


FULL_FENCE = struct.pack(">BxxxIB", 248, 1, 64) + b"a" * 64
RECORDING = struct.pack(">BBHBBI", 255, 1, 2, 3, 2, 44100)
SCREENS = struct.pack(">BxHHBx", 251, 800, 600, 3) + b"\0" * 48
LONG = [encodings(*[7] * 1000), FULL_FENCE, RECORDING, SCREENS, struct.pack(">BBH", 255, 1, 1)]


@pytest.mark.parametrize("message", [*LONG, *PASSING, key(97)[:8], POINTER, QEMU_KEY, SOUND, SIZE, POWER])
@pytest.mark.parametrize("size", [1, 2000])
def test_a_message_is_passed_on_when_it_is_there_to_its_end(message: bytes, size: int):
    said, stream = control(), message + update()
    passed = [said.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert b"".join(passed) == stream
    assert size > 1 or passed[len(message) - 1] == message


@pytest.mark.parametrize(
    "message",
    [
        encodings(*[7] * 1001),
        struct.pack(">BxxxIB", 248, 1, 65) + b"a" * 65,
        struct.pack(">BBH", 255, 1, 3),
        struct.pack(">BBH", 255, 2, 0),
    ],
)
def test_who_controls_cannot_say_more_than_there_is_to_say_either(message: bytes):
    with pytest.raises(Ended):
        control().feed(message)


def test_what_is_kept_out_is_not_kept():
    looking = view_only()
    looking.feed(struct.pack(">BxxxI", 6, 2**31 - 1))
    for _ in range(100):
        assert looking.feed(b"\0" * 100_000) == b""
    assert looking._rest == b""


# Who controls


CLIPBOARD = -1063131698  # 0xC0A1E5CE


@pytest.mark.parametrize("message", [*PASSING, key(97), POINTER, QEMU_KEY, SOUND, SIZE, POWER])
def test_who_controls_may_do_everything_else(message: bytes):
    assert control().feed(message) == message


@pytest.mark.parametrize("message", [CUT, BIG_CUT])
def test_no_clipboard_goes_to_the_display(message: bytes):
    said = control()
    assert b"".join(said.feed(message[at : at + 1000]) for at in range(0, len(message), 1000)) == b""
    assert said.feed(key(97)) == key(97)


def test_nothing_is_asked_for_that_cannot_be_followed():
    assert control().feed(encodings(7, CLIPBOARD, 5, 21, -316, -258, -26)) == encodings(7, -258, -26)


def test_there_is_one_pixel_format():
    said = control()
    assert said.feed(FORMAT + update() + FORMAT) == FORMAT + update() + FORMAT
    with pytest.raises(Ended):
        said.feed(FORMAT.replace(b"\x20\x18", b"\x10\x10"))


@pytest.mark.parametrize("byte", [0, 2])
def test_only_the_first_byte_tells_what_a_message_is(byte: int):
    said = control()
    stream = FORMAT + struct.pack(">BBHH", 5, byte, 10, 10) + struct.pack(">BBHH", 5, 1, 10, byte) + SIZE
    assert said.feed(stream) == stream
    assert said.pixel_format == FORMAT[4:]


def test_what_only_fills_a_message_up_tells_no_length_and_a_screenless_size_is_whole():
    stream = b"\x02\x07" + encodings(7)[2:] + SIZE[:6] + b"\0\0"
    assert control().feed(stream) == stream
