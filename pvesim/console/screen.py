"""What a guest shows, and what was typed and pointed at there."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pvesim.console import font

Size = tuple[int, int]
Colour = tuple[int, int, int]

PAPER, INK, BRIGHT, FAINT, BLOCK, DOT = range(6)
PALETTE: tuple[Colour, ...] = (
    *((16, 24, 40), (203, 213, 225), (255, 255, 255), (100, 116, 139)),
    *((56, 189, 248), (250, 204, 21)),
)
MARGIN = 16
RADIUS = 3
BLOCK_SIZE = 16
KEPT = 2000
RETURN, BACKSPACE, TAB = 0xFF0D, 0xFF08, 0xFF09
# The lights that keys switch, as a mask.
LIGHT_OF = {0xFF14: 1, 0xFF7F: 2, 0xFFE5: 4}
NAMED_KEYS = {
    0xFF1B: "Esc",
    0xFF50: "Home",
    0xFF51: "Left",
    0xFF52: "Up",
    0xFF53: "Right",
    0xFF54: "Down",
    0xFF55: "PgUp",
    0xFF56: "PgDn",
    0xFF57: "End",
    0xFF63: "Ins",
    0xFFFF: "Del",
    **{0xFFBE + number: f"F{number + 1}" for number in range(12)},
}
UNICODE = 0x01000000
EURO = 0x20AC
# Dead keys, and the accents that they put on the next letter.
ACCENTS = {0xFE50: "\u0300", 0xFE51: "\u0301", 0xFE52: "\u0302", 0xFE53: "\u0303", 0xFE57: "\u0308"}


@dataclass(frozen=True)
class Pointer:
    """`buttons` is the mask of VNC: 1 left, 2 middle, 4 right."""

    x: int
    y: int
    buttons: int


@dataclass(frozen=True)
class View:
    """All that a picture depends on."""

    name: str
    place: str
    status: str
    second: int
    text: str
    pointer: Pointer | None
    size: Size


@dataclass(eq=False)
class Screen:
    """Shared by everybody who looks at the same guest. `keys` are keysyms and whether they went down.

    `lights` of its keyboard: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock, which switches only the light.

    What is typed up to Return is written to the guest's disk, as `files`: it shows them when it starts.
    """

    text: str = ""
    files: tuple[str, ...] = ()
    typed: str = ""
    pasted: str = ""
    pointer: Pointer | None = None
    lights: int = 0
    accent: str = field(default="", repr=False)
    keys: list[tuple[int, bool]] = field(default_factory=list, repr=False)
    watchers: list[Callable[[], None]] = field(default_factory=list, repr=False)
    _view: View | None = field(default=None, repr=False)
    _picture: bytes = field(default=b"", repr=False)

    def clear(self) -> None:
        """A guest which starts shows nothing of its former life, save what is on its disk."""
        self.text, self.pointer = "".join(f"{line}\n" for line in self.files)[-KEPT:], None

    def press(self, keysym: int, down: bool) -> None:
        self.keys.append((keysym, down))
        if down:
            self.lights ^= LIGHT_OF.get(keysym, 0)
            sign = self._accented(sign_of(keysym))
            self.accent = ACCENTS.get(keysym, "" if sign else self.accent)
            self.typed += sign
            if sign == "\n" and (line := self.text.rpartition("\n")[2]):
                self.files = (*self.files, line)
            self.text = self.text[:-1] if keysym == BACKSPACE else (self.text + sign)[-KEPT:]
        self._tell()

    def point(self, pointer: Pointer) -> None:
        self.pointer = pointer
        self._tell()

    def paste(self, text: str) -> None:
        self.pasted += text

    def picture(self, view: View) -> bytes:
        """One byte for each pixel, an index of PALETTE; the same object as long as nothing has changed."""
        if view != self._view:
            self._view, self._picture = view, paint(view)
        return self._picture

    def _accented(self, sign: str) -> str:
        return unicodedata.normalize("NFC", sign + self.accent) if self.accent and sign.isalpha() else sign

    def _tell(self) -> None:
        for watcher in list(self.watchers):
            watcher()


def sign_of(keysym: int) -> str:
    """What a key writes: nothing if it is a modifier, its name in brackets if it has no sign."""
    if keysym in (RETURN, TAB):
        return "\n" if keysym == RETURN else "\t"
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    if keysym == EURO:
        return "€"
    if UNICODE < keysym <= UNICODE + 0x10FFFF:
        return chr(keysym - UNICODE)
    return f"[{NAMED_KEYS[keysym]}]" if keysym in NAMED_KEYS else ""


def paint(view: View) -> bytes:
    canvas = _Canvas(*view.size)
    canvas.write(MARGIN, view.name, 4, BRIGHT)
    canvas.write(56, f"{view.place}: {view.status}", 2, INK)
    canvas.write(80, f"{datetime.fromtimestamp(view.second, UTC):%Y-%m-%d %H:%M:%S} UTC", 2, FAINT)
    _write_typed(canvas, view.text)
    road = max(1, (canvas.width - 2 * MARGIN) // BLOCK_SIZE)
    canvas.fill(
        (MARGIN + view.second % road * BLOCK_SIZE, canvas.height - 2 * BLOCK_SIZE, BLOCK_SIZE, BLOCK_SIZE), BLOCK
    )
    if view.pointer is not None:
        side = 2 * RADIUS + 1
        canvas.fill((view.pointer.x - RADIUS, view.pointer.y - RADIUS, side, side), DOT)
    return bytes(canvas.dots)


def _write_typed(canvas: _Canvas, text: str) -> None:
    columns = max(1, (canvas.width - 2 * MARGIN) // (font.WIDTH * 2))
    top, step = 120, font.HEIGHT * 2 + 2
    room = max(1, (canvas.height - top - 3 * BLOCK_SIZE) // step)
    lines = []
    for line in f"> {text}_".expandtabs(4).split("\n"):
        lines += [line[start : start + columns] for start in range(0, len(line), columns)] or [""]
    for number, line in enumerate(lines[-room:]):
        canvas.write(top + number * step, line, 2, INK)


class _Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.dots = bytearray(bytes([PAPER]) * (width * height))

    def write(self, top: int, text: str, scale: int, ink: int) -> None:
        """A line of text from the left margin, as much of it as there is room for."""
        text = text[: max(0, self.width - 2 * MARGIN) // (font.WIDTH * scale)]
        for y, row in enumerate(font.rows(text, scale, ink, PAPER), start=top):
            if y < self.height:
                start = y * self.width + MARGIN
                self.dots[start : start + len(row)] = row

    def fill(self, area: tuple[int, int, int, int], colour: int) -> None:
        x, y, width, height = area
        left, right = max(0, x), min(self.width, x + width)
        if right > left:
            for row in range(max(0, y), min(self.height, y + height)):
                self.dots[row * self.width + left : row * self.width + right] = bytes([colour]) * (right - left)
