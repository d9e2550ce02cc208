"""The timetable: a decision, a worker's looks in a school of 30,000 machines, and random mornings before the bell."""

import os
import statistics
import time
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from classes.models import IdleEvidence, LabClass, RunningRules
from classes.timetable import gathering, starting, stopping
from classes.timetable.decision import Facts, decide
from tests.bench import report, school_days, school_year
from tests.classes.timetable.facts import ago, full_notice, lesson, quiet, running, stopped
from vms.models import VirtualMachine

DAYS = int(os.environ.get("BENCH_DAYS", "1000"))
ROUNDS, MACHINES = 9, 3_000
EVERYWHERE = 3  # queries of every page


def run() -> None:
    decisions()
    looks()
    pages()
    idle_looks()
    bells()


def decisions() -> None:
    lessons = (lesson(-200, -160), lesson(-60, -15), lesson(30, 75), lesson(200, 245))
    cases = [
        running(lessons=lessons),
        running(lessons=lessons, running_since=ago(10), activity=quiet()),
        running(lessons=lessons, notice=full_notice(), activity=quiet()),
        running(hours_left=timedelta(), notice=full_notice()),
        stopped(lessons=lessons),
    ]
    found = [_microseconds(cases) for _ in range(ROUNDS)]
    report.goal("a decision", statistics.median(found), 20, unit=" µs", best=min(found))


def _microseconds(cases: list[Facts]) -> float:
    begun = time.process_time()
    for _ in range(MACHINES // len(cases)):
        for facts in cases:
            decide(facts)
    return (time.process_time() - begun) / MACHINES * 1e6


def looks() -> None:
    """A school year of lessons, two of them of each class a week; at this moment, 20 classes have one."""
    school_year.fill()
    for name, count, look in (
        ("starts", 7, lambda: starting.outlook(school_year.NOW)),
        ("stops", 6, lambda: stopping.watch(school_year.NOW)),
    ):
        with CaptureQueriesContext(connection) as asked:
            look()
        report.count(f"queries of the look at {name}", len(asked), count)
        spent = [report.cpu_ms(look) for _ in range(ROUNDS)]
        report.goal(f"the look at {name}", statistics.median(spent), 50, unit=" ms", best=min(spent))


def idle_looks() -> None:
    """Every class stops idle machines. The figures of the 3,000 machines that are running are due later."""
    RunningRules.objects.update(idle_minutes=30)
    running = VirtualMachine.objects.filter(status="running")
    running.update(booted_at=school_year.NOW - timedelta(hours=5))
    later, keys = school_year.NOW + timedelta(minutes=9), list(running.values_list("pk", flat=True))
    IdleEvidence.objects.bulk_create([IdleEvidence(vm_id=pk, due_at=later) for pk in keys], batch_size=500)
    for name, count, look in (
        ("look for idle machines", 4, lambda: gathering.enqueue_due(school_year.NOW)),
        ("look at idle stops", 7, lambda: stopping.watch(school_year.NOW)),
    ):
        with CaptureQueriesContext(connection) as asked:
            look()
        report.count(f"queries of the {name}", len(asked), count)
        spent = [report.cpu_ms(look) for _ in range(ROUNDS)]
        report.goal(f"the {name}", statistics.median(spent), 50, unit=" ms", best=min(spent))


def pages() -> None:
    """The pages of the head, who owns all classes. What every page asks for is not counted: session, person, header."""
    client, one = Client(), LabClass.objects.order_by("pk")[school_year.CLASSES // 2]
    client.force_login(one.owner)
    day = school_year.NOW.date()
    for name, address, most in (
        ("a week of a class", f"/classes/{one.pk}/timetable/", 6),
        ("a week of all own classes", "/classes/lessons/", 6),
        ("what would happen on a day of all classes", "/classes/rehearsal/", 10),
    ):
        client.get(address, {"day": day})
        with CaptureQueriesContext(connection) as asked:
            page = client.get(address, {"day": day})
        report.goal(f"queries of {name}", len(asked) - EVERYWHERE if page.status_code == 200 else 999, most)


def bells() -> None:
    days = school_days.mornings(DAYS, seed=int(os.environ.get("BENCH_SEED", "1")))
    late = sorted(day.late for day in days)
    missed = sum(one > timedelta() for one in late)
    report.goal(f"of {DAYS} bells late, %", 100 * missed / DAYS, 1)
    report.goal(
        "minutes before the bell / least possible",
        sum(day.waited for day in days) / sum(day.least for day in days),
        1.15,
    )
    report.tell(
        "the last machine, seconds after the bell",
        f"median {late[DAYS // 2].total_seconds():.0f}, worst {late[-1].total_seconds():.0f}",
    )
