"""What a console in a browser shows, and which keys it sends."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

# How many pixels the canvas has of each colour.
COLOURS = """() => {
  const canvas = document.querySelector("#picture canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  const found = {};
  for (let at = 0; at < data.length; at += 4) {
    const colour = `${data[at]},${data[at + 1]},${data[at + 2]}`;
    found[colour] = (found[colour] ?? 0) + 1;
  }
  return found;
}"""
PAPER, INK, NAME = "16,24,40", "203,213,225", "255,255,255"


def expect_word(page: Page, text: str) -> None:
    """Wait until the page says in a word how things are."""
    expect(page.locator("#word")).to_have_text(text, timeout=45_000)


def colours(page: Page) -> dict[str, int]:
    found: dict[str, int] = page.evaluate(COLOURS)
    return found


def until_ink(page: Page, more_than: int) -> int:
    """How much ink there is, once there is more than so many pixels of it."""
    for _ in range(50):
        if (ink := colours(page).get(INK, 0)) > more_than:
            return ink
        page.wait_for_timeout(100)
    raise AssertionError("no more ink came")


# Keys as a browser sends them: pressed or let go, and which.
KEYS = re.compile(rb"(?:\x04([\0\x01])\0\0|\xff\0\0([\0\x01]))(....)", re.DOTALL)
CTRL, ALT, SHIFT, DELETE, RETURN, ESCAPE = 0xFFE3, 0xFFE9, 0xFFE1, 0xFFFF, 0xFF0D, 0xFF1B
CAPS_LOCK = 0xFFE5


def pressed(frames: list[bytes | str]) -> list[int]:
    sent = b"".join(frame for frame in frames if isinstance(frame, bytes))
    found = [(down or down_too, keysym) for down, down_too, keysym in KEYS.findall(sent)]
    return [int.from_bytes(keysym) for down, keysym in found if down == b"\x01"]


def width_of(page: Page) -> tuple[int, int]:
    """Of the picture: what the machine paints, and what the page shows, in pixels."""
    own, shown = page.evaluate("(one => [one.width, one.clientWidth])(document.querySelector('#picture canvas'))")
    return int(own), int(shown)


def until(page: Page, condition: Callable[[], bool]) -> None:
    """By asking again: a page with this policy evaluates no condition of its own."""
    for _ in range(50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not become so")


def frames_of(page: Page) -> list[bytes | str]:
    """What a page sends by websockets that it opens from now on."""
    frames: list[bytes | str] = []

    def note(frame: bytes | str) -> None:
        frames.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", note))
    return frames


def until_pressed(page: Page, frames: list[bytes | str], wanted: list[int]) -> None:
    until(page, lambda: len(pressed(frames)) >= len(wanted))
    assert pressed(frames) == wanted
