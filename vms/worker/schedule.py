"""What is done how often, besides reading clusters and working on operations. One of all workers gets each turn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from clusters.models import PendingImport
from vms import inventory, preparation
from vms.models import ConsoleGrant, ConsoleSession, Schedule, WorkerBeat
from vms.monitoring import alerts, credential_expiry
from vms.worker import backends, tasks
from vms.worker.tasks import job


@dataclass(frozen=True)
class Line:
    """Every so often, this is done, by some worker and beside everything else. What fails waits for the next time."""

    name: str
    every: timedelta
    work: Callable[[], object]


def forget_workers() -> None:
    """Those that died without a word, a day ago."""
    WorkerBeat.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()


def end_dead_consoles() -> None:
    """Write down those whose web process died."""
    ConsoleSession.objects.all().end_dead()


LINES = {
    line.name: line
    for line in (
        Line("look closer at machines", timedelta(seconds=15), tasks.look_closer_everywhere),
        Line("prepare freed machines", timedelta(seconds=5), preparation.sweep),
        Line("ask clusters for facts", timedelta(minutes=5), tasks.ask_facts_everywhere),
        Line("forget old readings", timedelta(hours=1), inventory.prune),
        Line("forget finished jobs", timedelta(minutes=10), backends.forget_finished),
        Line("end dead consoles", timedelta(seconds=30), end_dead_consoles),
        Line("forget permits of consoles", timedelta(hours=1), ConsoleGrant.forget_old),
        Line("forget old previews", timedelta(minutes=5), PendingImport.forget_old),
        Line("forget dead workers", timedelta(hours=1), forget_workers),
        Line("review alerts", timedelta(seconds=10), alerts.review),
        Line("ask until when credentials are good", timedelta(minutes=5), credential_expiry.ask),
        Line("forget old alerts", timedelta(days=1), alerts.prune),
    )
}


def register(line: Line) -> None:
    """Add what a room above does regularly."""
    LINES[line.name] = line


@job(queue="clusters", module="vms.schedule")
def regular(name: str) -> None:
    """Do one line."""
    LINES[name].work()


def enqueue_due() -> None:
    """Give what is due to the engine. Any number of workers may ask."""
    asked = dict(Schedule.objects.values_list("name", "next_at"))
    now = timezone.now()
    for line in LINES.values():
        if asked.get(line.name, now) <= now and Schedule.turn(line.name, every=line.every):
            regular.enqueue(line.name)
