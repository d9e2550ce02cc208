"""The restore point of a machine: the one snapshot that assignees may save, replace and delete."""

from collections.abc import Iterable

from vms.models import Snapshot

# Its name to people. Clusters rename no snapshot, so the new one gets the free name of both, before the old one goes.
NAME = "my-save-point"
NAMES = (NAME, "my-save-point-2")


def other_name(name: str) -> str:
    return NAMES[1] if name == NAME else NAME


def restore_points(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The restore points among these, the oldest first. There are two while one is replaced, or when that failed."""
    found = [snapshot for snapshot in snapshots if snapshot.name in NAMES]
    return sorted(found, key=lambda one: (one.taken_at is not None, one.taken_at, one.pk))


def complete(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The restore points that a machine can be reverted to, the oldest first."""
    return [snapshot for snapshot in restore_points(snapshots) if not snapshot.state]


def free_name(snapshots: Iterable[Snapshot]) -> str:
    """The first of both names that the machine has no snapshot of. Empty when it has both."""
    taken = {snapshot.name for snapshot in snapshots}
    return next((name for name in NAMES if name not in taken), "")


def label(name: str) -> str:
    """The name of a snapshot as people see it."""
    return NAME if name in NAMES else name
