"""Pixels as a client wants them, and where two pictures differ."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from pvesim.console.screen import PALETTE, Size

Rectangle = tuple[int, int, int, int]
BAND = 16


class UnsupportedFormatError(Exception):
    """A client wants pixels which this server does not make."""


@dataclass(frozen=True)
class PixelFormat:
    """`maxima` and `shifts` of red, green and blue."""

    bits: int = 32
    depth: int = 24
    big_endian: bool = False
    maxima: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    def packed(self) -> bytes:
        flags = (self.bits, self.depth, self.big_endian, True)
        return struct.pack(">BB??HHHBBB3x", *flags, *self.maxima, *self.shifts)

    def encode(self, dots: bytes) -> bytes:
        size = self.bits // 8
        pixels = bytearray(len(dots) * size)
        for place, table in enumerate(_tables(self)):
            pixels[place::size] = dots.translate(table)
        return bytes(pixels)

    def pixel(self, colour: tuple[int, int, int]) -> bytes:
        parts = zip(colour, self.maxima, self.shifts, strict=True)
        value = sum((part * maximum // 255) << shift for part, maximum, shift in parts)
        return (value % (1 << self.bits)).to_bytes(self.bits // 8, "big" if self.big_endian else "little")


@lru_cache(maxsize=16)
def _tables(pixel_format: PixelFormat) -> list[bytes]:
    """For each byte of a pixel, what it is by the index of the colour."""
    pixels = [pixel_format.pixel(colour) for colour in PALETTE]
    return [bytes(pixel[place] for pixel in pixels).ljust(256, b"\0") for place in range(pixel_format.bits // 8)]


def read_format(content: bytes) -> PixelFormat:
    bits, depth, big_endian, true_colour, *rest = struct.unpack(">BB??HHHBBB3x", content)
    if bits not in (8, 16, 32) or not true_colour:
        raise UnsupportedFormatError
    return PixelFormat(bits, depth, big_endian, (rest[0], rest[1], rest[2]), (rest[3], rest[4], rest[5]))


def cut(picture: bytes, size: Size, area: Rectangle) -> bytes:
    x, y, width, height = area
    starts = range(y * size[0] + x, (y + height) * size[0] + x, size[0])
    return b"".join(picture[start : start + width] for start in starts)


def differences(old: bytes, new: bytes, size: Size) -> list[Rectangle]:
    """Rectangles of at most BAND rows which hold everything that has changed."""
    if old is new:
        return []
    width, height = size
    found = []
    for top in range(0, height, BAND):
        rows = min(BAND, height - top)
        start, end = top * width, (top + rows) * width
        if old[start:end] != new[start:end]:
            left, right = _columns(old, new, range(start, end, width), width)
            found.append((left, top, right - left, rows))
    return found


def _columns(old: bytes, new: bytes, starts: range, width: int) -> tuple[int, int]:
    changed = 0
    for start in starts:
        changed |= int.from_bytes(old[start : start + width]) ^ int.from_bytes(new[start : start + width])
    first = width - (changed.bit_length() + 7) // 8
    last = width - 1 - ((changed & -changed).bit_length() - 1) // 8
    return first, last + 1
