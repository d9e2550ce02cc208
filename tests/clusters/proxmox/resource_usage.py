"""How long something takes, and how much memory at its highest."""

import ctypes
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")


@dataclass
class Watched:
    """`mib` is how far the resident memory rose above where it was."""

    seconds: float = 0.0
    mib: float = 0.0


@contextmanager
def watched() -> Iterator[Watched]:
    found = Watched()
    # What was freed and is still held would hide what is taken anew. The kernel's peak counts from here.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _kib("VmRSS"), time.monotonic()
    try:
        yield found
    finally:
        found.seconds = time.monotonic() - began
        found.mib = (_kib("VmHWM") - before) / 1024


def _kib(name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert match
    return int(match[1])
