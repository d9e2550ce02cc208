"""A cluster as tests and the demo hold it: its state, and the faults that can be injected into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from pvesim.faults import FaultInjector
from pvesim.outages import Ports
from pvesim.state import HOST, ClusterState, Options
from pvesim.timeline import Timeline

__all__ = ["HOST", "Cluster", "Options"]


class Cluster(ClusterState):
    def __init__(
        self,
        name: str,
        nodes: Sequence[str],
        *,
        ports: Ports,
        timeline: Timeline,
        seed: int,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(name, nodes, ports=ports, timeline=timeline, seed=seed, **options)
        self.faults = FaultInjector(self)
