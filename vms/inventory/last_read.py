"""What this process remembers of the last read of each cluster, so that the next one need only look at what differs.

The rows may have been written by others since: `ClusterSync` tells, which every read that is taken over writes.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from clusters.config import ClusterConfig
from clusters.proxmox import Digest
from vms.models import ClusterSync

# So long after a whole read, in seconds, the next one is whole: it finds what has come into the rows besides.
LIFE = 60.0


@dataclass(frozen=True)
class Memory:
    """`whole_at` is monotonic. `synced_at` is the stamp of the read in the database: no other read has the same."""

    config: ClusterConfig
    digest: Digest
    synced_at: datetime
    whole_at: float

    def goes_on(self, state: ClusterSync) -> bool:
        """Whether nobody has read the cluster since, nothing was in doubt, and nothing is now."""
        is_in_doubt = state.notice or state.quorate is False or state.believe_down_to is not None
        return state.synced_at == self.synced_at and not is_in_doubt


_memories: dict[tuple[str, str], Memory] = {}


def recall(config: ClusterConfig) -> Memory | None:
    """If it is young enough, and of the same account at the same place."""
    found = _memories.get(_key(config.cluster_id))
    return found if found and _is_young(found) and found.config == _without_secrets(config) else None


def keep(config: ClusterConfig, digest: Digest, *, synced_at: datetime, after: Memory | None) -> None:
    """Called after the read was committed. `after` is the memory by which it was partial."""
    for key, other in list(_memories.items()):
        if not _is_young(other):
            _memories.pop(key, None)
    whole_at = after.whole_at if after else time.monotonic()
    _memories[_key(config.cluster_id)] = Memory(_without_secrets(config), digest, synced_at, whole_at)


def forget(cluster_id: str) -> None:
    _memories.pop(_key(cluster_id), None)


def _key(cluster_id: str) -> tuple[str, str]:
    return str(connection.settings_dict["NAME"]), cluster_id


def _is_young(memory: Memory) -> bool:
    return time.monotonic() - memory.whole_at < LIFE


def _without_secrets(config: ClusterConfig) -> ClusterConfig:
    """Every new secret counts the credential's version up."""
    return replace(config, password=None, token_secret=None, read_token_secret=None)
