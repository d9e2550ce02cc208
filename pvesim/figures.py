"""What a guest did over time, as /rrddata tells it: noise, unless a test says what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Load(NamedTuple):
    """`cpu` of 0 to 1 is the share of all processors; the others are bytes a second."""

    cpu: float
    netin: float
    netout: float


QUIET = Load(0.004, 300.0, 200.0)


@dataclass
class Figures:
    """`steps` are loads with the moment from which each holds; None is noise. `gaps` are times without figures."""

    steps: list[tuple[float, Load | None]] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def at(self, moment: float) -> Load | None:
        held = [load for since, load in self.steps if since <= moment]
        return held[-1] if held else None

    def are_missing(self, moment: float) -> bool:
        return any(begins <= moment < ends for begins, ends in self.gaps)
