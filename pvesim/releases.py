"""The releases of Proxmox VE which a cluster can pass for, and in what they differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

Number = tuple[int, int]


@dataclass(frozen=True)
class Release:
    version: str
    repoid: str
    kernel: str

    @cached_property
    def number(self) -> Number:
        major, minor = self.version.replace("-", ".").split(".")[:2]
        return int(major), int(minor)

    @property
    def major(self) -> int:
        return self.number[0]

    @property
    def name(self) -> str:
        return "{}.{}".format(*self.number)

    @property
    def row(self) -> dict[str, object]:
        return {"version": self.version, "release": self.name, "repoid": self.repoid}

    def is_since(self, number: Number) -> bool:
        return self.number >= number

    @property
    def errors_have_a_message(self) -> bool:
        return self.is_since((8, 3))

    @property
    def bad_ticket(self) -> str:
        return "Authentication failed!" if self.is_since((9, 1)) else "permission denied - invalid PVE ticket"


RELEASES = {
    release.name: release
    for release in (
        Release("7.4-17", "5c1e07b2", "5.15.131-2-pve"),
        Release("8.4.14", "b2d0f6a9", "6.8.12-15-pve"),
        Release("9.2.11", "3f9c2e7d", "6.17.0-1-pve"),
    )
}
NEWEST = "9.2"


def release_named(name: str) -> Release:
    """By its number, or by its major number alone."""
    for known in RELEASES.values():
        if name in (known.name, str(known.major)):
            return known
    raise ValueError(f"no release '{name}'; there are {', '.join(RELEASES)}")
