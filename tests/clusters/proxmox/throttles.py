"""A throttle that remembers in memory, for one process."""

import threading
from dataclasses import dataclass, field

from clusters import proxmox
from clusters.config import ClusterConfig


@dataclass
class MemoryLoginThrottle:
    """`log` has what was asked and told, in order."""

    log: list[str] = field(default_factory=list)
    _rejected: dict[tuple[str, int], proxmox.LoginRejected] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, config: ClusterConfig, *, patience: float) -> None:
        if not config.token_id and not self._turn.acquire(timeout=patience):
            raise proxmox.TimedOut(sent=False)
        if error := self._rejected.get((config.cluster_id, config.credential_version)):
            self._next(config)
            raise proxmox.LoginRejected(error.plain)
        self.log.append("acquire")

    def accepted(self, config: ClusterConfig) -> None:
        self.log.append("accepted")
        self._next(config)

    def rejected(self, config: ClusterConfig, error: proxmox.LoginRejected) -> None:
        self.log.append("rejected")
        self._rejected[config.cluster_id, config.credential_version] = error
        self._next(config)

    def release(self, config: ClusterConfig) -> None:
        self.log.append("release")
        self._next(config)

    def _next(self, config: ClusterConfig) -> None:
        if not config.token_id and self._turn.locked():
            self._turn.release()
