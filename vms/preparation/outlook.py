"""The outlook of machines that are about to be released: pages show it before somebody chooses."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from vms.models import Assignment, Preparation, Snapshot, VirtualMachine
from vms.preparation import cleanup
from vms.preparation.cleanup import RestorePoint

Way, State = Preparation.Way, Preparation.State


@dataclass(frozen=True)
class ReleaseSettings:
    """A class's setting for its freed machines: what happens to them, and the baseline snapshot."""

    way: str
    baseline: str


# Takes primary keys of machines, and returns the settings of those that it knows.
Source = Callable[[Iterable[int]], dict[int, ReleaseSettings]]
SOURCES: list[Source] = []


def register(source: Source) -> Source:
    SOURCES.append(source)
    return source


@dataclass(frozen=True)
class Outlook:
    """A machine that is or was assigned, and how it can be made ready for the next person.

    `baseline` is the snapshot to which it can be reverted, if it has one. `latest` is the last preparation.
    """

    assignment: Assignment
    machine: VirtualMachine
    default: str
    baseline: Snapshot | None
    saved: tuple[Snapshot, ...]
    latest: Preparation | None

    @property
    def is_live(self) -> bool:
        return self.assignment.ended_at is None

    @property
    def is_under_way(self) -> bool:
        return bool(self.latest and self.latest.state == State.OPEN)

    @property
    def failed(self) -> Preparation | None:
        return self.latest if self.latest and self.latest.state == State.FAILED else None

    @property
    def problem(self) -> str:
        return self.failed.rendered_outcome if self.failed else ""

    @property
    def is_overdue(self) -> bool:
        """The time for which it is kept is over, so somebody has to decide."""
        until = self.assignment.kept_until
        return not self.is_live and not self.is_under_way and (until is None or until < timezone.now())

    @property
    def has_own_baseline(self) -> bool:
        """The baseline was saved while this person had the machine, so it contains their data."""
        taken = self.baseline.taken_at if self.baseline else None
        return bool(taken and taken >= self.assignment.assigned_at)

    @property
    def deleted_by_revert(self) -> list[str]:
        return self.points_to_delete(Way.REVERT)

    @property
    def deleted_otherwise(self) -> list[str]:
        return self.points_to_delete(Way.AS_IT_IS)

    def possible_way(self, chosen: str) -> str:
        """The chosen way, as far as possible: without a baseline a machine is shut down instead of reverted."""
        wanted = chosen or self.default
        return Way.SHUT_DOWN if wanted == Way.REVERT and not self.baseline else wanted

    def points_to_delete(self, way: str) -> list[str]:
        """The restore points that are deleted, the newest first."""
        listed = (RestorePoint(one.name, one.parent, one.taken_at) for one in self.saved)
        name = self.baseline.name if self.baseline else ""
        return cleanup.points_to_delete(listed, way=way, baseline=name, since=self.assignment.assigned_at)


def outlooks_for(assignments: QuerySet[Assignment]) -> list[Outlook]:
    """The outlooks of unreleased assignments, in a number of queries that does not grow with them."""
    rows = list(assignments.filter(released_at=None).select_related("vm__cluster", "user").order_by("vm__name", "pk"))
    machines = [row.vm_id for row in rows]
    wanted = _settings_for(machines)
    saved = defaultdict(list)
    for snapshot in Snapshot.objects.filter(vm__in=machines):
        saved[snapshot.vm_id].append(snapshot)
    tried = Preparation.objects.filter(assignment__in=rows).select_related("reserved_for", "operation")
    latest = {one.assignment_id: one for one in tried.order_by("asked_at", "pk")}
    return [_outlook(row, wanted.get(row.vm_id), saved[row.vm_id], latest) for row in rows]


def _outlook(
    row: Assignment, wanted: ReleaseSettings | None, saved: list[Snapshot], latest: dict[int, Preparation]
) -> Outlook:
    name = wanted.baseline if wanted else ""
    baseline = next((one for one in saved if name and one.name == name and not one.state), None)
    way = wanted.way if wanted else Way.REVERT
    return Outlook(row, row.vm, way, baseline, tuple(saved), latest.get(row.pk))


def _settings_for(machines: list[int]) -> dict[int, ReleaseSettings]:
    found: dict[int, ReleaseSettings] = {}
    for source in SOURCES:
        found |= source(machines)
    return found


def digest(outlooks: Iterable[Outlook]) -> str:
    """A hash of what a page showed: who has which machine, and which restore points are deleted."""
    facts = [
        (
            one.assignment.pk,
            one.is_live,
            one.baseline and one.baseline.name,
            one.deleted_by_revert,
            one.deleted_otherwise,
        )
        for one in outlooks
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()
