"""Periodic jobs, besides cluster syncs and operations. Of all workers, one claims each run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts.sign_in import keeping_up
from clusters.models import PendingImport
from vms import automation, inventory, preparation
from vms.models import ConsoleGrant, ConsoleSession, Schedule, WorkerBeat
from vms.monitoring import alerts, credential_expiry
from vms.provisioning import earlier, networks, passwords
from vms.worker import backends, tasks
from vms.worker.tasks import job


@dataclass(frozen=True)
class PeriodicJob:
    """A job that some worker runs every `every`. A run that fails is not repeated before the next one.

    `acts`: it changes something on clusters, or for people, so it waits while automation is held.
    """

    name: str
    every: timedelta
    work: Callable[[], object]
    acts: bool = False


def forget_workers() -> None:
    """Delete the heartbeats of workers that died more than a day ago."""
    WorkerBeat.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()


def end_dead_consoles() -> None:
    """Record the end of consoles whose web process died."""
    ConsoleSession.objects.all().end_dead()


PERIODIC_JOBS = {
    periodic.name: periodic
    for periodic in (
        PeriodicJob("look closer at machines", timedelta(seconds=15), tasks.enqueue_details),
        PeriodicJob("prepare freed machines", timedelta(seconds=5), preparation.reconcile, acts=True),
        PeriodicJob("tell about earlier machines", timedelta(minutes=10), earlier.tell_about_due, acts=True),
        PeriodicJob("remove earlier machines", timedelta(minutes=10), earlier.remove_due, acts=True),
        PeriodicJob("return networks", timedelta(minutes=10), networks.return_unused),
        PeriodicJob("write passwords again", timedelta(seconds=5), passwords.reconcile, acts=True),
        PeriodicJob("ask clusters for facts", timedelta(minutes=5), tasks.enqueue_facts),
        PeriodicJob("forget old readings", timedelta(hours=1), inventory.prune),
        PeriodicJob("forget finished jobs", timedelta(minutes=10), backends.forget_finished),
        PeriodicJob("end dead consoles", timedelta(seconds=30), end_dead_consoles),
        PeriodicJob("forget permits of consoles", timedelta(hours=1), ConsoleGrant.forget_old),
        PeriodicJob("forget old previews", timedelta(minutes=5), PendingImport.forget_old),
        PeriodicJob("forget dead workers", timedelta(hours=1), forget_workers),
        PeriodicJob("review alerts", timedelta(seconds=10), alerts.review),
        PeriodicJob("ask until when credentials are good", timedelta(minutes=5), credential_expiry.update_due),
        PeriodicJob("compare with directories", timedelta(days=1), keeping_up.compare_all, acts=True),
        PeriodicJob("forget old alerts", timedelta(days=1), alerts.prune),
    )
}


def register(periodic: PeriodicJob) -> None:
    """Add a job of an app above this one."""
    PERIODIC_JOBS[periodic.name] = periodic


@job(queue="clusters", module="vms.schedule")
def regular(name: str) -> None:
    """Run one of them. The queue stores this function's name."""
    periodic = PERIODIC_JOBS[name]
    if not (periodic.acts and automation.is_held()):
        periodic.work()


def enqueue_due() -> None:
    """Enqueue what is due. Any number of workers may call it."""
    due_at = dict(Schedule.objects.values_list("name", "next_at"))
    now = timezone.now()
    for periodic in PERIODIC_JOBS.values():
        if due_at.get(periodic.name, now) <= now and Schedule.claim(periodic.name, every=periodic.every):
            regular.enqueue(periodic.name)
