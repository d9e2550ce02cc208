"""A machine that QEMU emulates, without KVM: its screen by VNC, and what its guest does by two serial ports."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waits import PDEATHSIG, TIMEOUT, wait_until

QEMU = shutil.which("qemu-system-x86_64")
# Only what has a keyboard, a screen and two serial ports; the guest prints nothing on its screen.
OPTIONS = [
    "-nodefaults",
    "-no-user-config",
    "-accel",
    "tcg",
    "-m",
    "256",
    "-device",
    "VGA",
    "-display",
    "none",
    "-no-reboot",
]
KERNEL_LINE = "console=ttyS0 quiet loglevel=0 panic=-1 mitigations=off tsc=reliable random.trust_cpu=on"


class Port:
    """A serial port or QEMU's monitor, behind a socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        wait_until(lambda: self._socket.connect_ex(str(path)) == 0)
        self._socket.settimeout(TIMEOUT)
        self._rest = b""

    def send(self, line: str) -> None:
        self._socket.sendall(f"{line}\n".encode())

    def until(self, words: str) -> None:
        """Wait for these words, and forget what was before them."""
        while words.encode() not in self._rest:
            self._rest += self._socket.recv(4096)
        self._rest = self._rest.partition(words.encode())[2]

    def quiet_for(self, seconds: float) -> bytes:
        """What came since, once nothing has come for so long."""
        found, self._rest = self._rest, b""
        self._socket.settimeout(seconds)
        try:
            while data := self._socket.recv(4096):
                found += data
        except TimeoutError:
            return found
        finally:
            self._socket.settimeout(TIMEOUT)
        return found

    def close(self) -> None:
        self._socket.close()


class Machine:
    """`console` is where its screen is served. What its guest reads from the keyboard comes out of `read`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.console = ("127.0.0.1", port)
        self._shell, self._keyboard, self._monitor = (Port(folder / name) for name in ("shell", "keyboard", "monitor"))
        self._shell.until("ready")

    def load(self, layout: str, *, light: bool = True) -> None:
        """Give the guest another keyboard layout, with a light for Caps Lock or without.

        As Debian has it: with letters beyond ASCII, the key locks the left Control key in truth, which has no light
        before somebody gives it one.
        """
        lock = "capslock" if layout == "en-us" else "ctrlllock"
        self._shell.send(f"{layout} {f'kbd-{lock}' if light else 'none'}")
        self._shell.until(f"has {layout}")

    def press(self, key: str) -> None:
        """By QEMU's name of the key, past the screen."""
        self._monitor.send(f"sendkey {key}")

    def freeze(self) -> None:
        self._monitor.send("stop")

    def thaw(self) -> None:
        self._monitor.send("cont")

    def read(self, expected: str = "", *, rest: float = 0.25) -> str:
        """What the guest has read. Waits until that is as long as what is expected, and then for a moment."""
        found, ends = b"", time.monotonic() + TIMEOUT
        while len(found) < len(expected.encode()) and time.monotonic() < ends:
            found += self._keyboard.quiet_for(0.1)
        return (found + self._keyboard.quiet_for(rest)).decode(errors="replace")

    def close(self) -> None:
        for port in (self._shell, self._keyboard, self._monitor):
            port.close()


@contextmanager
def running(folder: Path, *, kernel: Path, initramfs: Path, keyboard: str = "") -> Iterator[Machine]:
    """Boot it. `keyboard` is Proxmox VE's option, which QEMU gets as -k."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert QEMU
    command = [QEMU, *OPTIONS, *(["-k", keyboard] if keyboard else [])]
    command += ["-kernel", str(kernel), "-initrd", str(initramfs), "-append", KERNEL_LINE]
    command += ["-vnc", f"127.0.0.1:{port - 5900}"]
    for name, kind in (("shell", "serial"), ("keyboard", "serial"), ("monitor", "monitor")):
        command += [f"-{kind}", f"unix:{folder / name},server=on,wait=off"]
    with (
        (folder / "qemu.log").open("wb") as log,
        subprocess.Popen([*PDEATHSIG, *command], stdout=log, stderr=log) as process,
    ):
        try:
            machine = Machine(folder, port)
            yield machine
            machine.close()
        finally:
            process.terminate()
