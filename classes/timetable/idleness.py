"""Since when a machine has been quiet, from the cluster's figures: pure functions. What is missing is never quiet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from django.conf import settings

# Figures come every minute. Between two that are further apart, some are missing.
LONGEST_STEP = timedelta(seconds=90)

# A job that keeps one processor busy is work, on a machine with many, too.
BUSY_PROCESSORS = 0.5


class Sample(Protocol):
    """See `clusters.proxmox.LoadSample`."""

    @property
    def at(self) -> int: ...
    @property
    def cpu(self) -> float | None: ...
    @property
    def cpus(self) -> float | None: ...
    @property
    def network(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a quiet machine uses at most: share of all processors, 0 to 1, and bytes a second received and sent."""

    cpu: float
    network: float

    @classmethod
    def of_portal(cls) -> Self:
        return cls(settings.IDLE_CPU / 100, settings.IDLE_NETWORK)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet from `since` to `measured_at`, with at most so much. `since` None: busy, or without figures, at the end.

    `measured_at` is the last time that there are figures for; None without any.
    """

    since: datetime | None = None
    measured_at: datetime | None = None
    cpu: float = 0
    network: float = 0


def quiet(samples: Sequence[Sample], limits: Limits, *, earlier: Quiet | None = None) -> Quiet:
    """The last unbroken time without use, of samples in their order.

    A cluster tells only of the last hour. `earlier` is what was found before: where both overlap, it goes on.
    """
    known = [one for one in samples if _is_complete(one)]
    if not known:
        return Quiet()
    run = _quiet_at_the_end(known, limits)
    measured_at = _time(known[-1])
    if not run:
        return Quiet(measured_at=measured_at)
    cpu, network = max(one.cpu or 0 for one in run), max(one.network or 0 for one in run)
    found = Quiet(_time(run[0]), measured_at, cpu, network)
    return _joined(earlier, found, limits) if run[0].at == samples[0].at else found


def _quiet_at_the_end(known: Sequence[Sample], limits: Limits) -> list[Sample]:
    run: list[Sample] = []
    for one in reversed(known):
        has_gap = run and run[-1].at - one.at > LONGEST_STEP.total_seconds()
        if has_gap or not _is_quiet(one, limits):
            break
        run.append(one)
    return run[::-1]


def _joined(earlier: Quiet | None, found: Quiet, limits: Limits) -> Quiet:
    if earlier is None or found.since is None or earlier.since is None or earlier.measured_at is None:
        return found
    was_quiet = earlier.cpu <= limits.cpu and earlier.network <= limits.network
    if not was_quiet or not earlier.since <= found.since <= earlier.measured_at:
        return found
    cpu, network = max(earlier.cpu, found.cpu), max(earlier.network, found.network)
    return replace(found, since=earlier.since, cpu=cpu, network=network)


def _is_complete(one: Sample) -> bool:
    return one.cpu is not None and one.cpus is not None and one.network is not None


def _is_quiet(one: Sample, limits: Limits) -> bool:
    cpu, cpus, network = one.cpu or 0, one.cpus or 0, one.network or 0
    return cpu <= limits.cpu and cpu * cpus <= BUSY_PROCESSORS and network <= limits.network


def _time(one: Sample) -> datetime:
    return datetime.fromtimestamp(one.at, UTC)
