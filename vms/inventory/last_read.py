"""The last read of each cluster, kept by this process so that the next sync compares only what differs.

Other processes may have written the rows since. `ClusterSync.synced_at` tells, which every applied read writes.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from clusters.config import ClusterConfig
from clusters.proxmox import Digest
from vms.inventory.sync_state import SyncState

# Seconds after a full read until the next full one, which also finds what else was written into the rows.
FULL_READ_EVERY = 60.0


@dataclass(frozen=True)
class LastRead:
    """`full_at` is monotonic. `synced_at` is what this read wrote into `ClusterSync`, which no other read wrote."""

    config: ClusterConfig
    digest: Digest
    synced_at: datetime
    full_at: float

    def is_current(self, state: SyncState) -> bool:
        """Whether no other read was applied since, and the last answer was not suspicious."""
        is_suspicious = state.notice or state.quorate is False or state.believe_down_to is not None
        return state.synced_at == self.synced_at and not is_suspicious


_last_reads: dict[tuple[str, str], LastRead] = {}


def recall(config: ClusterConfig) -> LastRead | None:
    """The last read of this cluster, if it is recent and was made with the same account at the same host."""
    found = _last_reads.get(_key(config.cluster_id))
    return found if found and _is_recent(found) and found.config == _without_secrets(config) else None


def remember(config: ClusterConfig, digest: Digest, *, synced_at: datetime, after: LastRead | None) -> None:
    """Call it after the read was committed. `after` is the read that a partial one was compared with."""
    for key, other in list(_last_reads.items()):
        if not _is_recent(other):
            _last_reads.pop(key, None)
    full_at = after.full_at if after else time.monotonic()
    _last_reads[_key(config.cluster_id)] = LastRead(_without_secrets(config), digest, synced_at, full_at)


def forget(cluster_id: str) -> None:
    _last_reads.pop(_key(cluster_id), None)


def _key(cluster_id: str) -> tuple[str, str]:
    return str(connection.settings_dict["NAME"]), cluster_id


def _is_recent(last: LastRead) -> bool:
    return time.monotonic() - last.full_at < FULL_READ_EVERY


def _without_secrets(config: ClusterConfig) -> ClusterConfig:
    """A new secret is noticed nevertheless: it increments `credential_version`."""
    return replace(config, password=None, token_secret=None, read_token_secret=None)
