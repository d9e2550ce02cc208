"""The guest's root file system: busybox, loadkeys and the console keyboards of Debian, in an archive for a kernel."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

from tests.waits import TIMEOUT

BUSYBOX, LOADKEYS, CKBCOMP = (shutil.which(name, path="/bin:/usr/bin") for name in ("busybox", "loadkeys", "ckbcomp"))
# Proxmox VE's names of layouts, and what a Debian guest is set up with: layout and variant of xkeyboard-config.
LAYOUTS = {
    "en-us": ("us", ""),
    "en-gb": ("gb", ""),
    "es": ("es", ""),
    "de": ("de", ""),
    "fr": ("fr", "latin9"),
    "pt": ("pt", ""),
    "it": ("it", ""),
}
# The first serial port takes the name of a layout, and what gives Caps Lock its light. On the second come the bytes
# that a program on the console reads.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
(/bin/busybox stty raw -echo; exec /bin/busybox cat >/dev/ttyS1) </dev/tty1 &
/bin/busybox stty -F /dev/ttyS1 raw
exec </dev/ttyS0 >/dev/ttyS0 2>&1
/bin/busybox stty raw
echo ready
while read -r name trigger; do
    /bin/loadkeys -q /keyboards/$name
    for light in /sys/class/leds/*capslock; do echo $trigger >$light/trigger; done
    echo "has $name"
done
"""


def build(path: Path) -> None:
    """Write the archive."""
    assert BUSYBOX
    assert LOADKEYS
    files = {
        "init": INIT.encode(),
        "bin/busybox": Path(BUSYBOX).read_bytes(),
        "bin/loadkeys": Path(LOADKEYS).read_bytes(),
    }
    libraries = {*_libraries(LOADKEYS), *_libraries(BUSYBOX)}
    files |= {library.lstrip("/"): Path(library).read_bytes() for library in libraries}
    files |= {f"keyboards/{name}": keymap(*layout) for name, layout in LAYOUTS.items()}
    folders = {str(parent) for name in files for parent in Path(name).parents if parent != Path()}
    with path.open("wb") as archive:
        for folder in sorted(folders):
            archive.write(_entry(folder, b"", stat.S_IFDIR | 0o755))
        for name, content in files.items():
            archive.write(_entry(name, content, stat.S_IFREG | 0o755))
        archive.write(_entry("TRAILER!!!", b"", 0))


def keymap(layout: str, variant: str) -> bytes:
    """As setting up the keyboard of a Debian makes it, with the four levels of modifiers that text needs.

    The others (Alt, the right ones apart) make the file ten times as long, and loading it slow.
    """
    assert CKBCOMP
    command = [CKBCOMP, "-layout", layout, *(["-variant", variant] if variant else [])]
    found = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT).stdout
    lines = [_first_columns(line) for line in found.splitlines()]
    return b"keymaps 0-3,64-67\n" + b"\n".join(lines[1:]) + b"\n"


def _first_columns(line: bytes) -> bytes:
    if not (found := re.fullmatch(rb"(keycode \d+ =) (.+)", line)):
        return line
    columns = found[2].split()
    return found[1] + b" " + b" ".join(columns[:4] + columns[64:68])


def _libraries(program: str) -> list[str]:
    """None of a static one."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False, timeout=TIMEOUT).stdout
    return re.findall(r"(/\S+) \(", found)


def _entry(name: str, content: bytes, mode: int) -> bytes:
    """Of a cpio archive, in the format newc."""
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
