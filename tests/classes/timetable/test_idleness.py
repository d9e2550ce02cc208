"""Since when a machine has been quiet, by the cluster's figures: what is missing is never quiet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from classes.timetable.idleness import Limits, Quiet, quiet
from clusters.proxmox import LoadSample

NOW = datetime(2026, 9, 7, 12, tzinfo=UTC)
LIMITS = Limits(cpu=0.03, network=5000)
CALM = LoadSample(0, 0.01, 2, 900.0)


def series(count: int = 60, *, calm: LoadSample = CALM, **changed: LoadSample) -> list[LoadSample]:
    """One a minute up to now. `changed` by minutes ago: `m5=…`; without a sample it is left out."""
    found = []
    for ago in range(count - 1, -1, -1):
        sample = changed.get(f"m{ago}", calm)
        found.append(replace(sample, at=int((NOW - timedelta(minutes=ago)).timestamp())))
    return found


def since(samples: list[LoadSample], *, earlier: Quiet | None = None) -> float | None:
    """Minutes before now."""
    found = quiet(samples, LIMITS, earlier=earlier)
    return None if found.since is None else (NOW - found.since) / timedelta(minutes=1)


def test_a_quiet_hour():
    found = quiet(series(), LIMITS)
    assert found == Quiet(NOW - timedelta(minutes=59), NOW, 0.01, 900.0)


@pytest.mark.parametrize(
    "busy",
    [
        replace(CALM, cpu=0.031),
        replace(CALM, network=5001.0),
        replace(CALM, cpu=0.02, cpus=32),  # more than half a processor
        replace(CALM, cpu=None),
        replace(CALM, network=None),
        replace(CALM, cpus=None),
    ],
    ids=["cpu", "network", "one processor of many", "no cpu", "no network", "no number of processors"],
)
def test_it_is_quiet_since_the_last_use_or_gap(busy: LoadSample):
    assert since(series(m20=busy)) == 19


def test_limits_are_still_quiet():
    assert since(series(calm=LoadSample(0, 0.03, 2, 5000.0))) == 59


def test_a_busy_end_is_not_quiet():
    found = quiet(series(m0=replace(CALM, cpu=0.5)), LIMITS)
    assert (found.since, found.measured_at) == (None, NOW)


def test_the_last_minutes_may_be_missing_and_make_it_old():
    empty = LoadSample(0, None, None, None)
    found = quiet(series(m0=empty, m1=empty), LIMITS)
    assert found.measured_at == NOW - timedelta(minutes=2)


def test_rows_that_are_left_out_are_a_gap():
    samples = [one for place, one in enumerate(series()) if place not in {40, 41}]
    assert since(samples) == 17


@pytest.mark.parametrize("samples", [[], series(calm=LoadSample(0, None, None, None))], ids=["none", "all empty"])
def test_without_figures_nothing_is_known(samples: list[LoadSample]):
    assert quiet(samples, LIMITS) == Quiet()


def test_a_short_series_is_quiet_for_as_long_as_it_is():
    assert since(series(10)) == 9


# Spans longer than the hour that a cluster tells of


def before(start: float, end: float, **more: float) -> Quiet:
    return replace(Quiet(NOW - timedelta(minutes=start), NOW - timedelta(minutes=end), 0.02, 100.0), **more)


def test_what_was_found_before_goes_on_where_both_overlap():
    found = quiet(series(), LIMITS, earlier=before(300, 45))
    assert found == Quiet(NOW - timedelta(minutes=300), NOW, 0.02, 900.0)


@pytest.mark.parametrize(
    "earlier",
    [
        before(300, 61),  # a gap between both
        before(300, 45, cpu=0.04),  # under other limits
        before(300, 45, network=9000.0),
        Quiet(measured_at=NOW - timedelta(minutes=45)),
        Quiet(),
    ],
)
def test_otherwise_it_does_not(earlier: Quiet):
    assert since(series(), earlier=earlier) == 59


def test_nor_across_use_in_the_last_hour():
    assert since(series(m30=replace(CALM, cpu=0.5)), earlier=before(300, 25)) == 29
