"""Guests which are not where, or who, they were a moment ago."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pvesim.faults.base import ClusterFaults


class GuestFaults(ClusterFaults):
    """At once, or right after the next answer to a path like `after`."""

    def guest_moved(self, vmid: int, node: str = "", after: str = "") -> None:
        """It runs on another node now: the old one answers 500 Configuration file … does not exist."""
        guest = self._cluster.guest(vmid)
        former, target = guest.node, node or next(name for name in self._cluster.nodes if name != guest.node)

        def move(name: str) -> None:
            guest.node = name

        self._now_or_after(after, lambda: move(target))
        self._undo.append(lambda: move(former))

    def guest_removed(self, vmid: int, after: str = "") -> None:
        """It is gone, with its rights and its place in a pool."""
        guest, pool = self._cluster.guest(vmid), self._cluster.access.pools.pool_of(vmid)
        self._now_or_after(after, lambda: self._cluster.remove_guest(vmid))
        self._undo.append(lambda: self._cluster.register(guest, pool))

    def vmid_reused(self, vmid: int, name: str = "somebody-elses", after: str = "", **facts: Any) -> None:
        """Another guest has its number: nothing but that is the same, neither its hardware ID nor its MACs."""
        cluster, guest = self._cluster, self._cluster.guest(vmid)
        former = cluster.access.pools.pool_of(vmid)

        def reuse() -> None:
            cluster.remove_guest(vmid)
            cluster.add_guest(vmid, name, guest.node, guest.kind, **facts)

        def restore() -> None:
            cluster.remove_guest(vmid)
            cluster.register(guest, former)

        self._now_or_after(after, reuse)
        self._undo.append(restore)

    def snapshot_half_done(self, vmid: int, name: str, state: str = "delete") -> None:
        """Its deletion, or with `prepare` its saving, was begun and not finished. Nobody can go back to it."""
        saved = self._cluster.guest(vmid).snapshots
        former = saved[name]
        saved[name] = replace(former, state=state)
        self._undo.append(lambda: saved.update({name: former}))

    def list_lags(self, vmid: int, seconds: float = 10.0) -> None:
        """The cluster's list goes on with its present name and state, also of the next guest with its number."""
        statd = self._cluster.statd
        statd.lag(vmid, seconds)
        self._undo.append(lambda: statd.catch_up(vmid))

    def guest_locked(self, vmid: int, lock: str = "backup") -> None:
        """What acts on it fails: VM is locked (backup)."""
        self._change(self._cluster.guest(vmid), lock=lock)
