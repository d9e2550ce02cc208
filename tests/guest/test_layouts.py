"""The console's table of keyboard layouts: against those of Linux, and against how QEMU finds keys by signs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guest import xkb
from vms.models.keyboards import KeyboardLayout

FILE = Path(__file__).resolve().parent.parent.parent / "labportal/assets/portal/console-layouts.js"
DATA: dict[str, Any] = json.loads(FILE.read_text().partition("export default ")[2].rstrip(";\n"))
NAMES = list(KeyboardLayout.values)
# What guests of these languages are set up with: layout and variant.
OF_LINUX = {
    "en-us": [("us", "")],
    "en-gb": [("gb", "")],
    "es": [("es", "")],
    "de": [("de", "")],
    "fr": [("fr", ""), ("fr", "latin9"), ("fr", "oss")],
    "pt": [("pt", "")],
    "it": [("it", "")],
}
OF_QEMU = Path("/usr/share/qemu/keymaps")
SHIFT, ALT_GR = "shift", "altgr"
LEVELS = [frozenset[str](), frozenset({SHIFT}), frozenset({ALT_GR}), frozenset({SHIFT, ALT_GR})]

needs_xkb = pytest.mark.skipif(
    not xkb.LIBRARY, reason="needs the keyboard layouts of Linux: apt install libxkbcommon0 xkb-data"
)


def rows(name: str) -> list[list[str]]:
    return [row.split(" ") for row in DATA["layouts"][name]["rows"]]


def test_every_layout_that_can_be_chosen_has_its_keys() -> None:
    assert list(DATA["layouts"]) == list(DATA["pressed"]) == NAMES
    assert len(DATA["keys"].split(" ")) == len(xkb.CODES)
    for name in NAMES:
        alone, shift, *more = rows(name)
        assert len(alone) == len(shift) == len(DATA["pressed"][name].split(" ")) == len(xkb.CODES)
        assert all(len(row) <= len(xkb.CODES) for row in more)


@needs_xkb
@pytest.mark.parametrize("name", NAMES)
def test_each_key_writes_what_it_writes_on_linux(name: str) -> None:
    of_linux = xkb.Xkb()
    for layout in OF_LINUX[name]:
        theirs = of_linux.rows(*layout)
        ours = [(level, key, sign) for level, row in enumerate(rows(name)) for key, sign in enumerate(row)]
        assert [(*one, theirs[one[0]][one[1]]) for one in ours if one[2] not in {"no", theirs[one[0]][one[1]]}] == []


class QemuKeymap:
    """How QEMU finds a key by a keysym with -k: `keysym2scancode` of its `ui/keymaps.c`."""

    MOST = 4  # keys of a keysym that it keeps

    def __init__(self, name: str, of_linux: xkb.Xkb) -> None:
        self._keys: dict[int, list[tuple[int, frozenset[str]]]] = {}
        for keysym, key, modifiers in self._lines(OF_QEMU / name):
            self._keys.setdefault(of_linux.keysym(keysym), []).append((key, modifiers & LEVELS[3]))

    def _lines(self, path: Path) -> Iterator[tuple[str, int, frozenset[str]]]:
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] == ["include"]:
                yield from self._lines(OF_QEMU / words[1])
            elif len(words) > 1 and words[1].startswith("0x"):
                yield words[0], int(words[1], 16), frozenset(words[2:])

    def key(self, keysym: int, held: frozenset[str]) -> int | None:
        found = self._keys.get(keysym & 0xFFFF, [])[: self.MOST]
        exact = [key for key, modifiers in found if modifiers == held]
        return exact[0] if exact and len(found) > 1 else found[0][0] if found else None


@needs_xkb
@pytest.mark.skipif(not OF_QEMU.is_dir(), reason="allowed: needs QEMU's keymaps: apt install qemu-system-x86")
@pytest.mark.parametrize("name", NAMES)
def test_with_a_keyboard_option_qemu_finds_each_key_by_its_sign(name: str) -> None:
    qemu = QemuKeymap(name, xkb.Xkb())
    for place, signs in enumerate(DATA["pressed"][name].split(" ")):
        by_code = len(signs) == 4
        keysyms = [int(signs, 16)] if by_code else [ord(sign) for sign in signs]
        # One is for all levels.
        each = zip(keysyms * 4 if len(keysyms) == 1 else keysyms, LEVELS, strict=False)
        assert [qemu.key(keysym, held) for keysym, held in each] == [xkb.CODES[place]] * (
            4 if len(keysyms) == 1 else len(keysyms)
        )
