"""Amounts: what machines take up, and what quotas limit."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Amounts:
    """Memory in MiB, disk in GiB. `running` counts machines that run or are about to."""

    machines: int = 0
    running: int = 0
    cores: int = 0
    memory_mib: int = 0
    disk_gib: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in NAMES))


NAMES = tuple(field.name for field in fields(Amounts))


def total(amounts: Iterable[Amounts]) -> Amounts:
    return sum(amounts, Amounts())
