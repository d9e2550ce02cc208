"""Messages from display to browser (RFC 6143 and its extensions): all of them pass, except the clipboard.

To find where messages end, the lengths of pictures are parsed, not the pictures. Browsers can request no encodings but
these: `client_messages` sees to it.
"""

from collections.abc import Callable, Generator

from vms.console import close_codes
from vms.console.close_codes import Ended

UPDATE, COLOURS, BELL, CUT_TEXT = 0, 1, 2, 3
END_OF_CONTINUOUS, FENCE, XVP, QEMU = 150, 248, 250, 255
RAW, COPY, RRE, ZLIB, TIGHT, ZRLE, H264, TIGHT_PNG = 0, 1, 2, 6, 7, 16, 50, -260
CURSOR, LIGHTS, NAME, SCREENS, LAST = -239, -261, -307, -308, -224
NOTHING_FOLLOWS = {-223, -258, -309, -312, -313}
UNTIL_LAST = 0xFFFF
SMALLEST_PACKED = 12

# Each step yields the number of bytes that it needs, and gets them.
Steps = Generator[int, bytes, None]


def _number(data: bytes) -> int:
    return int.from_bytes(data)


class ServerFilter:
    """Feed it bytes as they come. `pixel_format` returns what the browser requested; empty: the display's own."""

    def __init__(self, pixel_format: Callable[[], bytes] = bytes) -> None:
        self._asked, self._begun_with = pixel_format, b""
        self._rest = b""
        self._to_pass = self._to_drop = 0
        self._steps = self._stream()
        self._wanted = next(self._steps)
        self._is_left_out = False

    def feed(self, data: bytes) -> bytes:
        """The bytes that pass. Raises `Ended` for what cannot be parsed."""
        self._rest += data
        passing = []
        while True:
            passing.append(self._take(self._to_pass))
            self._to_pass -= len(passing[-1])
            self._to_drop -= len(self._take(self._to_drop))
            if self._to_pass or self._to_drop or len(self._rest) < self._wanted:
                return b"".join(passing)
            seen = self._take(self._wanted)
            self._wanted = self._steps.send(seen)
            passing.append(b"" if self._is_left_out else seen)

    def _take(self, most: int) -> bytes:
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece

    def _stream(self) -> Steps:
        begin = yield 24
        self._begun_with = begin[4:20]
        self._to_pass = _number(begin[20:])
        while True:
            yield from self._message()

    def _message(self) -> Steps:
        kind = (yield 1)[0]
        self._is_left_out = kind == CUT_TEXT
        if kind == CUT_TEXT:
            self._to_drop = abs(int.from_bytes((yield 7)[3:], signed=True))
        elif kind == UPDATE:
            yield from self._update(_number((yield 3)[1:]))
        elif kind == COLOURS:
            self._to_pass = 6 * _number((yield 5)[3:])
        elif kind == FENCE:
            self._to_pass = (yield 8)[7]
        elif kind == QEMU:
            yield from self._sound((yield 3))
        elif kind == XVP:
            self._to_pass = 3
        elif kind not in {BELL, END_OF_CONTINUOUS}:
            raise Ended(close_codes.UNREACHABLE, f"message {kind} of the display is not known")

    def _sound(self, head: bytes) -> Steps:
        if head[0] != 1:
            raise Ended(close_codes.UNREACHABLE, "a message of QEMU is not known")
        if _number(head[1:]) == 2:
            self._to_pass = _number((yield 4))

    def _update(self, count: int) -> Steps:
        done = 0
        while done < count or count == UNTIL_LAST:
            head = yield 12
            encoding = int.from_bytes(head[8:], signed=True)
            if encoding == LAST:
                return
            yield from self._rectangle(_number(head[4:6]), _number(head[6:8]), encoding)
            done += 1

    def _rectangle(self, width: int, height: int, encoding: int) -> Steps:
        pixel = self._format()[0] // 8
        if encoding in {RAW, CURSOR}:
            mask = (width + 7) // 8 * height if encoding == CURSOR else 0
            self._to_pass = width * height * pixel + mask
        elif encoding in {COPY, LIGHTS}:
            self._to_pass = 4 if encoding == COPY else 1
        elif encoding == RRE:
            self._to_pass = _number((yield 4)) * (pixel + 8) + pixel
        elif encoding in {ZLIB, ZRLE, NAME}:
            self._to_pass = _number((yield 4))
        elif encoding == H264:
            self._to_pass = _number((yield 8)[:4])
        elif encoding == SCREENS:
            self._to_pass = 16 * (yield 4)[0]
        elif encoding in {TIGHT, TIGHT_PNG}:
            yield from self._tight(width, height)
        elif encoding not in NOTHING_FOLLOWS:
            raise Ended(close_codes.UNREACHABLE, f"encoding {encoding} of the display is not known")

    def _tight(self, width: int, height: int) -> Steps:
        compression, pixel = (yield 1)[0] >> 4, self._tight_pixel()
        if compression == 8:  # one colour
            self._to_pass = pixel
        elif compression in {9, 10}:  # JPEG, PNG
            yield from self._packed()
        elif compression < 8:
            size = yield from self._filtered(width, height, pixel, has_filter=bool(compression & 4))
            if size < SMALLEST_PACKED:
                self._to_pass = size
            else:
                yield from self._packed()
        else:
            raise Ended(close_codes.UNREACHABLE, "a picture of the display is not known")

    def _filtered(self, width: int, height: int, pixel: int, *, has_filter: bool) -> Generator[int, bytes, int]:
        """The number of bytes of its pixels before compression."""
        if not has_filter or (yield 1)[0] != 1:
            return width * height * pixel
        colours = (yield 1)[0] + 1
        yield colours * pixel
        return height * ((width + 7) // 8 if colours == 2 else width)

    def _packed(self) -> Steps:
        """A length of one to three bytes with seven bits each, then that many bytes."""
        size = shift = 0
        while True:
            byte = (yield 1)[0]
            size |= (byte & 0x7F if shift < 14 else byte) << shift
            shift += 7
            if byte < 0x80 or shift > 14:
                break
        self._to_pass = size

    def _format(self) -> bytes:
        return self._asked() or self._begun_with

    def _tight_pixel(self) -> int:
        bits, depth, _order, true_colour, *most = self._format()[:10]
        is_small = (bits, depth, bool(true_colour)) == (32, 24, True) and bytes(most) == b"\0\xff" * 3
        return 3 if is_small else bits // 8
