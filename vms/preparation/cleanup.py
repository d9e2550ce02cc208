"""Chooses the restore points that are deleted before the next person gets the machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from vms.access.restore_points import NAMES
from vms.models import Preparation


@dataclass(frozen=True)
class RestorePoint:
    """A restore point, from the portal's list or the cluster's. `taken` is None when the time is unknown."""

    name: str
    parent: str
    taken: datetime | None


def points_to_delete(points: Iterable[RestorePoint], *, way: str, baseline: str, since: datetime) -> list[str]:
    """The names of those to delete, the newest first: all that were saved since the person got the machine.

    Before a revert, also all that are newer than the baseline: some storages revert to the newest snapshot only. The
    baseline itself stays.
    """
    known = {point.name: point for point in points}
    base = known.get(baseline)
    found = [point for point in known.values() if point.name != baseline and _is_own(point, since)]
    if way == Preparation.Way.REVERT and base:
        found += [point for point in known.values() if point not in found and _is_newer(point, base, known)]
    return [point.name for point in sorted(found, key=_sort_key, reverse=True)]


def _is_own(point: RestorePoint, since: datetime) -> bool:
    return point.name in NAMES or (point.taken is not None and point.taken >= since)


def _is_newer(point: RestorePoint, base: RestorePoint, known: dict[str, RestorePoint]) -> bool:
    if point == base:
        return False
    is_later = point.taken is not None and base.taken is not None and point.taken > base.taken
    return is_later or base.name in _ancestors(point, known)


def _ancestors(point: RestorePoint, known: dict[str, RestorePoint]) -> set[str]:
    found: set[str] = set()
    while point.parent in known and point.parent not in found:
        found.add(point.parent)
        point = known[point.parent]
    return found


def _sort_key(point: RestorePoint) -> tuple[float, str]:
    return (point.taken.timestamp() if point.taken else 0.0, point.name)
