"""Virtual machines and containers."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Literal

from pvesim import guest_config
from pvesim.console.screen import Screen, Size
from pvesim.figures import Figures
from pvesim.guest_config import GIB, MIB, config_file, is_drive, is_for_cloudinit, plain
from pvesim.timeline import Timeline

Kind = Literal["qemu", "lxc"]
Status = Literal[
    "stopped", "running", "paused", "prelaunch", "suspended", "io-error", "internal-error", "guest-panicked",
    "watchdog", "shutdown", "postmigrate", "inmigrate", "finish-migrate", "save-vm", "restore-vm", "debug", "colo",
]  # fmt: skip
Agent = Literal["off", "dead", "alive"]

# For so many seconds the load of a guest stays as it is.
STEADY = 10


@dataclass(frozen=True)
class Snapshot:
    """What a guest was: its configuration as it read, and the attributes to go back to."""

    name: str
    description: str
    taken: float
    parent: str | None
    vmstate: bool
    config: dict[str, str | int] = field(repr=False)
    settings: dict[str, object] = field(repr=False)
    state: str = ""  # `prepare` or `delete`: what was begun and not finished

    def config_row(self) -> dict[str, object]:
        own: dict[str, object] = {"snaptime": int(self.taken), "description": self.description}
        state = {"snapstate": self.state} if self.state else {}
        return {**self.config, **own, **state, **({"parent": self.parent} if self.parent else {})}


RESTORED = ("name", "tags", "agent", "maxcpu", "maxmem", "maxdisk", "options", "files")


@dataclass(eq=False)
class Guest:
    """One guest. Tests may set any attribute; `status` follows the simulated time.

    `ha` is the state in which high availability keeps it, and None when that does not care. `vnc_backend` is the
    address of a real VNC server to which its consoles lead, and `vnc_password` the password of that one, if any.
    `inner_cards` are network cards that it made itself, like Docker's: name, MAC and addresses, told before its own.
    `newest_only`: its storage, like ZFS, goes back to the newest snapshot alone.
    `storage` is where its disk is, and `allocated` what this takes there in bytes besides what was always there.
    `is_incomplete`: it is being cloned, or that was never finished, and it has no disk yet.
    `can_snapshot`: unlike raw files on a share, its disks can be saved. `ha_stuck`: high availability takes requests
    and then does nothing, as where the node's local manager is off.
    """

    timeline: Timeline = field(repr=False)
    vmid: int
    name: str
    node: str
    kind: Kind = "qemu"
    initial: Status = field(default="stopped", repr=False)
    tags: tuple[str, ...] = ()
    template: bool = False
    acpi: bool = True
    agent: Agent = "off"
    lock: str | None = None
    description: str = ""
    maxcpu: int = 1
    maxmem: int = GIB
    maxdisk: int = 8 * GIB
    addresses: tuple[str, ...] = ()
    inner_cards: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    users: tuple[str, ...] = ()  # who is logged in, by the agent's account
    agent_error: str = ""  # what the agent answers instead of a list, with HTTP 200
    figures: Figures = field(default_factory=Figures, repr=False)
    options: dict[str, str | int] = field(default_factory=dict, repr=False)
    storage: str = "data"
    allocated: int = field(default=0, repr=False)
    is_incomplete: bool = field(default=False, repr=False)
    base: int | None = None
    parent: str | None = None
    snapshots: dict[str, Snapshot] = field(default_factory=dict, repr=False)
    pid: int = 0
    generation: int = 0  # how many guests have had this number before
    lock_holder: str | None = field(default=None, repr=False)
    ha: str | None = None
    pending: dict[str, object] = field(default_factory=dict, repr=False)
    newest_only: bool = False
    can_snapshot: bool = True
    ha_stuck: bool = False
    resolution: Size = (640, 400)
    screen: Screen = field(default_factory=Screen, repr=False)
    vnc_backend: tuple[str, int] | None = None
    vnc_password: str | None = field(default=None, repr=False)
    cloudinit: dict[str, str | int] = field(default_factory=dict, repr=False)  # as of its last start
    read_until: dict[int, float] = field(default_factory=dict, repr=False)  # by full clones: VMID and when each ends

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        self.timeline.touch()

    def __post_init__(self) -> None:
        self.addresses = self.addresses or (f"10.88.{self.vmid // 250 % 250}.{self.vmid % 250 + 1}",)
        self._status: Status = "stopped"
        self._since = 0.0
        self.made_at = self.timeline.now()
        self.ended: float | None = None
        self.status = self.initial

    @property
    def status(self) -> Status:
        self.timeline.settle()
        return self._status

    @status.setter
    def status(self, status: Status) -> None:
        if self._status == "stopped" and status != "stopped":
            self._take_over()
            self.screen.clear()
            self._since = self.timeline.now()
            self.pid = 1000 + zlib.crc32(f"{self.vmid}:{self._since}".encode()) % 4_000_000
        elif self._status != "stopped" and status == "stopped":
            self.ended = self.timeline.now()
        self._status = status

    @property
    def files(self) -> tuple[str, ...]:
        """What is on its disk."""
        return self.screen.files

    @files.setter
    def files(self, files: tuple[str, ...]) -> None:
        self.screen.files = files

    @property
    def is_up(self) -> bool:
        return self.status != "stopped"

    @property
    def has_spice(self) -> bool:
        vga = str(self.options.get("vga", "")).removeprefix("type=")
        return self.kind == "qemu" and re.match(r"qxl[234]?(,|$)|virtio", vga) is not None

    def reset(self) -> None:
        """It begins anew without having ended: whoever looks at it sees that. What did not run waits for a resume."""
        ended, after = self.ended, self.status
        self.status = "stopped"
        self.status = "running" if after == "running" else "prelaunch"
        self.ended = ended

    @property
    def uptime(self) -> int:
        """Seconds since the start; a running guest has at least one."""
        return max(1, int(self.timeline.now() - self._since)) if self.is_up else 0

    @property
    def mem(self) -> int:
        return int(self.maxmem * (0.3 + 0.4 * self.noise("mem"))) if self.is_up else 0

    @property
    def cpu(self) -> float:
        return round(0.01 + 0.3 * self.noise("cpu"), 6) if self._status == "running" and self.is_up else 0

    @property
    def path(self) -> str:
        return f"/vms/{self.vmid}"

    @property
    def config_file(self) -> str:
        return config_file(self.node, self.kind, self.vmid)

    def settings(self) -> dict[str, object]:
        """The attributes which a snapshot keeps."""
        kept = {name: getattr(self, name) for name in RESTORED}
        return {**kept, "options": dict(self.options)}

    def noise(self, subject: str, moment: float | None = None) -> float:
        """A number between 0 and 1 which changes now and then and is the same in every run."""
        at = self.timeline.now() if moment is None else moment
        return zlib.crc32(f"{subject}:{self.vmid}:{int(at) // STEADY}".encode()) / 2**32

    def traffic(self, subject: str, per_second: int, uptime: int | None = None) -> int:
        share = zlib.crc32(f"{subject}:{self.vmid}".encode()) / 2**32
        return int((self.uptime if uptime is None else uptime) * per_second * share)

    def config(self) -> dict[str, str | int]:
        """The configuration as the API shows it."""
        return guest_config.shown(self)

    def next_config(self) -> dict[str, str | int]:
        """As it will be after the next start."""
        waiting = {name: str(value) if name == "memory" else value for name, value in self.pending.items()}
        return {**self.config(), **{name: plain(value) for name, value in waiting.items()}}

    def change(self, name: str, value: object) -> None:
        """Set an option of the configuration, or delete it with None."""
        match name, value:
            case (("name" | "hostname"), str()):
                self.name = value
            case "description", _:
                self.description = str(value or "")
            case "tags", _:
                given = re.split(r"[;, ]+", str(value or "").lower())
                self.tags = tuple(sorted(set(filter(None, given))))
            case "lock", _:
                self.lock = None if value is None else str(value)
            case "cores", int():
                self.maxcpu = value
            case "memory", int():
                self.maxmem = value * MIB
            case _, None:
                self.options.pop(name, None)
            case _:
                self.options[name] = plain(value)

    def cloudinit_config(self) -> dict[str, str | int]:
        """What the drive for cloud-init is made of at a start."""
        settings = {name: value for name, value in self.options.items() if is_for_cloudinit(name)}
        return {**settings, "name": self.name}

    @property
    def cloudinit_drive(self) -> str:
        """The name of that drive, like ide2; empty without one."""
        return next((name for name, value in self.options.items() if is_drive(name) and "cloudinit" in str(value)), "")

    @property
    def bridges(self) -> tuple[str, ...]:
        """Of its network cards."""
        cards = (str(value) for name, value in self.config().items() if re.fullmatch(r"net\d+", name))
        return tuple(found[1] for card in cards if (found := re.search(r"bridge=([^,]+)", card)))

    def _take_over(self) -> None:
        self.cloudinit = self.cloudinit_config()
        waiting, self.pending = self.pending, {}
        for name, value in waiting.items():
            self.change(name, value)

    @property
    def hardware_seed(self) -> str:
        """What tells it from those that have had its number before."""
        return f"{self.vmid}:{self.generation}" if self.generation else str(self.vmid)

    @property
    def volume(self) -> str:
        """The first disk; that of a linked clone stands on the disk of its template."""
        base = f"{self.base}/base-{self.base}-disk-0.qcow2/" if self.base else ""
        return f"{self.storage}:{base}{self.vmid}/{'base' if self.template else 'vm'}-{self.vmid}-disk-0.qcow2"

    @property
    def mac(self) -> str:
        tail = zlib.crc32(f"mac:{self.hardware_seed}".encode()) & 0xFFFFFF
        return f"BC:24:11:{tail >> 16:02X}:{tail >> 8 & 255:02X}:{tail & 255:02X}"
