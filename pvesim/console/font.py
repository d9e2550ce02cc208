"""Letters of five by seven dots. A digit of base 32 is a row, its highest bit the dot on the left."""

from __future__ import annotations

WIDTH, HEIGHT = 6, 8

_SHAPES = """
A ehhvhhh B uhhuhhu C ehggghe D uhhhhhu E vgguggv
F vgguggg G ehgnhhf H hhhvhhh I e44444e J 72222ic
K hikokih L ggggggv M hrllhhh N hhpljhh O ehhhhhe P uhhuggg Q ehhhlid R uhhukih S fgge11u T v444444
U hhhhhhe V hhhhaa4 W hhhllla X hha4ahh Y hhha444 Z v1248gv
0 ehjlphe 1 4c4444e 2 eh1248v 3 v2421he 4 26aiv22 5 vgu11he 6 68guhhe 7 v124888 8 ehhehhe 9 ehhf12c
! 4444404 " aaa0000 # aavavaa $ 4fke5u4 % op248j3 & cik8lid ' 4480000 ( 2488842 ) 8422248 * 04lel40
+ 044v440 , 0000c48 - 000v000 . 00000cc / 01248g0 : 0cc0cc0 ; 0cc0c48 < 248g842 = 00v0v00 > 8421248
? eh12404 @ eh1dlle [ e88888e \\ 0g84210 ] e22222e ^ 4ah0000 _ 000000v ` 8420000 { 2448442 | 4444444
} 8442448 ~ 008l200
""".split()
_BOX = "vhhhhhv"
# Rows of a capital which its small form has, two rows lower.
_SMALL_ROWS = (0, 2, 3, 4, 6)


def _shapes() -> dict[str, tuple[int, ...]]:
    capitals = {
        sign: tuple(int(digit, 32) for digit in rows) for sign, rows in zip(_SHAPES[::2], _SHAPES[1::2], strict=True)
    }
    small = {
        sign.lower(): (0, 0, *(rows[number] for number in _SMALL_ROWS))
        for sign, rows in capitals.items()
        if sign.isalpha()
    }
    return {" ": (0,) * 7, **capitals, **small}


GLYPHS = _shapes()
UNKNOWN = tuple(int(digit, 32) for digit in _BOX)


def rows(text: str, scale: int, ink: int, paper: int) -> list[bytes]:
    """The rows of dots of a line of text, one byte for a dot; a cell is `WIDTH * scale` by `HEIGHT * scale`."""
    pieces = [_piece(bits, scale, ink, paper) for bits in range(32)]
    glyphs = [GLYPHS.get(sign, UNKNOWN) for sign in text]
    lines = [b"".join(pieces[glyph[number]] for glyph in glyphs) for number in range(HEIGHT - 1)]
    return [line for line in lines for _ in range(scale)]


def _piece(bits: int, scale: int, ink: int, paper: int) -> bytes:
    dots = [ink if bits >> (4 - column) & 1 else paper for column in range(5)]
    return b"".join(bytes([dot]) * scale for dot in (*dots, paper))
