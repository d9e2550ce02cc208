"""A month of a school in minutes: 40 classes on 3 clusters, workers that are killed, and a cluster that is silent.

It is played in two parts, side by side; with `--days` of fewer days. What the clusters did is then compared with the
plan: nothing may be stopped in a lesson or without a full notice, and every machine of a lesson has to be ready when
it begins, or the reason has to be known.
"""

import multiprocessing
import os
import statistics
from collections import Counter
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from tests.bench import month_check, month_plan, month_play, month_school, report, simulated
from tests.bench.month_check import Findings
from tests.bench.month_plan import FIRST, HOME, LAST, Plan

CLASSES, CLUSTERS, MACHINES = 40, 3, 4
LATE = 1.0  # of a hundred, of those that neither a worker nor a cluster was missing for
# Until a Sunday, so that the hours of a week are whole.
PARTS = ((FIRST, date(2026, 10, 18)), (date(2026, 10, 19), LAST))
ABSENT = ("no worker was running", "the cluster was silent")


def run() -> None:
    """Each part in a process and in a copy of the database."""
    suffixes = [f"part{number}" for number in range(len(PARTS))]
    for suffix in suffixes:
        connection.close()  # SQLite writes everything to the file that is copied
        connection.creation.clone_test_db(suffix, verbosity=0, autoclobber=True)
    connection.close()
    found = Findings()
    try:
        with multiprocessing.get_context("fork").Pool(len(PARTS)) as pool:
            for part in pool.starmap(_in_a_copy, zip(suffixes, _parts(), strict=True)):
                found.add(part)
    finally:
        for suffix in suffixes:
            connection.creation.destroy_test_db(suffix=suffix, verbosity=0)
    tell(found)


def _parts() -> list[tuple[date, date]]:
    days = timedelta(days=int(os.environ.get("BENCH_DAYS") or 31) - 1)
    return [(first, min(last, first + days)) for first, last in PARTS]


def play(plan: Plan) -> Findings:
    """In an empty database, which the caller provides."""
    begins = datetime.combine(plan.first, time(), ZoneInfo(HOME))
    with simulated.world(begins) as world:
        school = month_school.set_up(world, plan)
        lessons = plan.lessons()
        return month_check.check(month_play.play(world, school, lessons), lessons)


def _part(days: tuple[date, date]) -> Findings:
    seed = int(os.environ.get("BENCH_SEED") or 1)
    first, last = days
    return play(month_plan.make(CLASSES, clusters=CLUSTERS, machines=MACHINES, first=first, last=last, seed=seed))


def _in_a_copy(suffix: str, days: tuple[date, date]) -> Findings:
    connection.settings_dict.update(connection.creation.get_test_db_clone_settings(suffix))
    try:
        return _part(days)
    finally:
        connection.close()


def tell(found: Findings) -> None:
    report.tell("classes, machines, clusters", f"{CLASSES}, {CLASSES * MACHINES}, {CLUSTERS}")
    report.tell("lessons, and machines in them", f"{found.lessons}, {found.machines}")
    report.tell("  ready when their lesson began", str(found.machines - found.late.total()))
    for why, count in found.late.most_common():
        report.tell(f"  late: {why}", f"{count}{_by_how_much(found.delays.get(why, []))}")
    for title, counts in (("stopped", found.stops), ("left on", found.left_on)):
        for why, count in counts.most_common():
            report.tell(f"  {title}: {why}", str(count))
    for name, count in found.told.items():
        report.tell(name, str(count))
    for what in found.broken[:20]:
        report.tell("  BROKEN", what)
    late = Counter({why: count for why, count in found.late.items() if why not in ABSENT})
    report.count("promises that were not kept", len(found.broken), 0)
    report.goal("late with worker and cluster there, %", 100 * late.total() / max(1, found.machines), LATE)


def _by_how_much(delays: list[float]) -> str:
    """Of those that came at all, in minutes."""
    if not delays:
        return ", not at all"
    return f", by {statistics.median(delays) / 60:.1f} min at the median, {max(delays) / 60:.1f} min at most"
