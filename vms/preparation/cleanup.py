"""Which restore points of a machine the next person does not get."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from vms.access.restore_points import NAMES
from vms.models import Preparation


@dataclass(frozen=True)
class Point:
    """A restore point, by the portal's list or by the cluster's own. `taken` is None where nobody knows."""

    name: str
    parent: str
    taken: datetime | None


def going(points: Iterable[Point], *, way: str, baseline: str, since: datetime) -> list[str]:
    """The newest first: those of the person who had the machine `since` then.

    Before a machine is reverted all goes that is newer than the baseline, whoever saved it: some storages go back to
    the newest snapshot alone. The baseline itself stays.
    """
    known = {point.name: point for point in points}
    base = known.get(baseline)
    found = [point for point in known.values() if point.name != baseline and _is_theirs(point, since)]
    if way == Preparation.Way.REVERT and base:
        found += [point for point in known.values() if point not in found and _is_newer(point, base, known)]
    return [point.name for point in sorted(found, key=_age, reverse=True)]


def _is_theirs(point: Point, since: datetime) -> bool:
    return point.name in NAMES or (point.taken is not None and point.taken >= since)


def _is_newer(point: Point, base: Point, known: dict[str, Point]) -> bool:
    if point == base:
        return False
    is_later = point.taken is not None and base.taken is not None and point.taken > base.taken
    return is_later or base.name in _ancestors(point, known)


def _ancestors(point: Point, known: dict[str, Point]) -> set[str]:
    found: set[str] = set()
    while point.parent in known and point.parent not in found:
        found.add(point.parent)
        point = known[point.parent]
    return found


def _age(point: Point) -> tuple[float, str]:
    return (point.taken.timestamp() if point.taken else 0.0, point.name)
