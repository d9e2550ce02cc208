"""Pools: named sets of guests. A guest is in one of them at most."""

from __future__ import annotations

from collections.abc import Callable


class Pools:
    """Calls `changed` after every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.comments: dict[str, str] = {}
        self._members: dict[str, set[int]] = {}
        self._pool_of: dict[int, str] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        return sorted(self._members)

    def members(self, name: str) -> list[int]:
        return sorted(self._members[name])

    def pool_of(self, vmid: int) -> str | None:
        return self._pool_of.get(vmid)

    def add(self, name: str, comment: str = "") -> None:
        self._members.setdefault(name, set())
        self.comments[name] = comment or self.comments.get(name, "")
        self._changed()

    def remove(self, name: str) -> None:
        """An empty one."""
        del self._members[name]
        self.comments.pop(name, None)
        self._changed()

    def put(self, vmid: int, name: str | None) -> None:
        """Into this pool, which is made if need be, and out of every other."""
        former = self._pool_of.pop(vmid, None)
        if former is not None:
            self._members[former].discard(vmid)
        if name is not None:
            self.add(name)
            self._members[name].add(vmid)
            self._pool_of[vmid] = name
        self._changed()
