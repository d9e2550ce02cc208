"""The storages of a cluster: each node has one of this name, or all share it."""

from __future__ import annotations

from dataclasses import dataclass

from pvesim.guest_config import GIB


@dataclass(frozen=True)
class Storage:
    name: str
    content: str
    plugin: str = "dir"
    total: int = 200 * GIB
    used: int = 40 * GIB
    shared: bool = False

    @property
    def kinds(self) -> set[str]:
        return set(self.content.split(","))

    def is_reached_from(self, node: str, other: str) -> bool:
        """Whether what lies there on one node is there on the other one, too."""
        return self.shared or node == other

    @property
    def path(self) -> str:
        return "/var/lib/vz" if self.name == "local" else f"/var/lib/vz-{self.name}"


DEFAULT_STORAGES = (
    Storage("local", "backup,iso,snippets,vztmpl"),
    Storage("data", "images,rootdir", total=500 * GIB, used=120 * GIB),
)
