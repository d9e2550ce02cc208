"""A month of a school in minutes: 40 classes on 3 clusters, workers that are killed, and a cluster that is silent.

It is played in two parts, side by side where the database is SQLite. What the clusters did is then compared with the
plan: nothing may be stopped in a lesson or without a full notice, and every machine of a lesson has to be ready when
it begins, or the reason has to be known.
"""

import multiprocessing
import os
import shutil
from collections import Counter
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.core.management import call_command
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
    found = Findings()
    for part in _side_by_side() if connection.vendor == "sqlite" else map(_on_postgres, PARTS):
        found.add(part)
    tell(found)


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


def _side_by_side() -> list[Findings]:
    """Each in a process and in a copy of the database."""
    connection.close()
    with multiprocessing.get_context("fork").Pool(len(PARTS)) as pool:
        return pool.map(_in_a_copy, PARTS)


def _in_a_copy(days: tuple[date, date]) -> Findings:
    name = str(connection.settings_dict["NAME"])
    own = f"{name}.{days[0]}"
    shutil.copy(name, own)
    connection.settings_dict["NAME"] = own
    try:
        return _part(days)
    finally:
        connection.close()


def _on_postgres(days: tuple[date, date]) -> Findings:
    call_command("flush", interactive=False, verbosity=0)
    return _part(days)


def tell(found: Findings) -> None:
    report.tell("lessons, and machines in them", f"{found.lessons}, {found.machines}")
    for name, count in found.told.items():
        report.tell(name, str(count))
    for title, counts in (("stopped", found.stops), ("late", found.late), ("left on", found.left_on)):
        for why, count in counts.most_common():
            report.tell(f"  {title}: {why}", str(count))
    for what in found.broken[:20]:
        report.tell("  BROKEN", what)
    late = Counter({why: count for why, count in found.late.items() if why not in ABSENT})
    report.count("promises that were not kept", len(found.broken), 0)
    report.goal("late with worker and cluster there, %", 100 * late.total() / max(1, found.machines), LATE)
