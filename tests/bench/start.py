"""The start of processes: CPU and memory beside those of Django alone, in turns in one run, and what they import."""

import json
import statistics
import subprocess
import sys
from typing import Any

from tests.bench import database, report

ROUNDS = 5
# What a worker that has no directory to compare and no calendar to read has no use for.
UNUSED = ("authlib", "icalendar", "jinja2", "ldap", "ninja", "openpyxl", "prometheus_client", "pydantic", "uvicorn")
# CPU and memory, of those of Django alone.
GOALS = {"command": (7.0, 3.0), "worker": (4.5, 2.2), "web": (7.0, 3.0)}


def run() -> None:
    rounds = [{kind: started(kind) for kind in ("bare", *GOALS)} for _ in range(ROUNDS)]
    for kind in ("bare", *GOALS):
        cpu, memory = (statistics.median(one[kind][what] for one in rounds) for what in ("cpu", "memory"))
        report.tell(f"start: {kind}", f"{cpu:.0f} ms, {memory:.0f} MiB")
    for kind, at_most in GOALS.items():
        for what, most in zip(("cpu", "memory"), at_most, strict=True):
            ratios = [one[kind][what] / one["bare"][what] for one in rounds]
            report.goal(f"start of {kind} / of Django alone, {what}", statistics.median(ratios), most, best=min(ratios))
    report.count("packages that a worker imports and does not use", len(unused(rounds[0]["worker"])), 0)


def started(kind: str, **more: str) -> dict[str, Any]:
    """`cpu` in ms, `memory` (its peak) in MiB, and the names of the `modules`."""
    settings = "tests.bench.bare_settings" if kind == "bare" else "tests.process_settings"
    environment = database.environment() | {"DJANGO_SETTINGS_MODULE": settings} | more
    command = [sys.executable, "-m", "tests.bench.started", kind]
    ran = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def unused(process: dict[str, Any]) -> set[str]:
    return {module.partition(".")[0] for module in process["modules"]} & set(UNUSED)
