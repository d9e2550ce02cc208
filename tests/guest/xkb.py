"""The keyboard layouts of this machine, by libxkbcommon and xkeyboard-config: what each key writes."""

import ctypes
import ctypes.util
from pathlib import Path

# Linux's codes of the keys, in the order of `console-layouts.js`.
CODES = [41, *range(2, 14), *range(16, 28), 43, *range(30, 41), 86, *range(44, 54)]
OFFSET = 8  # between Linux's codes and X's
ACCENTS = {
    "dead_grave": "`", "dead_acute": "\u00b4", "dead_circumflex": "^", "dead_tilde": "~", "dead_diaeresis": "¨"
}  # fmt: skip
LIBRARY = ctypes.util.find_library("xkbcommon") if Path("/usr/share/X11/xkb/rules/evdev").is_file() else None


class _Names(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


class Xkb:
    def __init__(self) -> None:
        assert LIBRARY
        self._library = library = ctypes.CDLL(LIBRARY)
        for name in ("xkb_context_new", "xkb_keymap_new_from_names"):
            getattr(library, name).restype = ctypes.c_void_p
        library.xkb_keymap_new_from_names.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Names), ctypes.c_int]
        library.xkb_keymap_key_get_syms_by_level.argtypes = [
            ctypes.c_void_p, *[ctypes.c_uint32] * 3, ctypes.POINTER(ctypes.POINTER(ctypes.c_uint32))
        ]  # fmt: skip
        self._context = library.xkb_context_new(0)

    def rows(self, layout: str, variant: str = "") -> list[list[str]]:
        """For each of four levels the sign of each key. A dead key is an asterisk and its accent."""
        names = _Names(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")
        keymap = self._library.xkb_keymap_new_from_names(self._context, ctypes.byref(names), 0)
        assert keymap
        return [[self._sign(keymap, code + OFFSET, level) for code in CODES] for level in range(4)]

    def keysym(self, name: str) -> int:
        return int(self._library.xkb_keysym_from_name(name.encode(), 0))

    def _sign(self, keymap: int, code: int, level: int) -> str:
        found = ctypes.POINTER(ctypes.c_uint32)()
        if self._library.xkb_keymap_key_get_syms_by_level(keymap, code, 0, level, ctypes.byref(found)) != 1:
            return ""
        name = ctypes.create_string_buffer(64)
        self._library.xkb_keysym_get_name(found[0], name, 64)
        if accent := ACCENTS.get(name.value.decode()):
            return f"*{accent}"
        sign = self._library.xkb_keysym_to_utf32(found[0])
        return chr(sign) if sign else ""
