"""The storages which every node offers."""

from __future__ import annotations

from dataclasses import dataclass

from pvesim.guests import GIB


@dataclass(frozen=True)
class Storage:
    name: str
    content: str
    plugin: str = "dir"
    total: int = 200 * GIB
    used: int = 40 * GIB


DEFAULT_STORAGES = (
    Storage("local", "backup,iso,snippets,vztmpl"),
    Storage("data", "images,rootdir", total=500 * GIB, used=120 * GIB),
)
