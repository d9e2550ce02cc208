"""What makes jobs: the sweep of open operations, clusters that are due, and the schedule. Any number may run."""

import time
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from vms import operations, registry
from vms.models import ClusterSync, WorkerBeat
from vms.worker import schedule, tasks

# Seconds between two looks, when something is open and when nothing is.
BUSY, IDLE = 0.25, 0.5

# How often some things are looked at (seconds).
CLUSTERS, ADMISSION, SCHEDULE = 1.0, 2.0, 5.0


@dataclass
class Beat:
    """One worker's."""

    name: str
    _next: dict[str, float] = field(default_factory=dict)

    def turn(self, *, everything: bool = False) -> float:
        """Do what is due. Returns after how many seconds to look again."""
        if everything:
            self._next.clear()
        if self._is_time("heartbeat", WorkerBeat.EVERY.total_seconds()):
            self.live()
        with registry.resolved_once():
            if registry.state().is_fallback:
                return IDLE  # an unimported or old file is looked at, never worked on
            busy = operations.sweep(admitting=self._is_time("admission", ADMISSION))
            if self._is_time("clusters", CLUSTERS):
                enqueue_due_clusters()
        if self._is_time("schedule", SCHEDULE):
            schedule.enqueue_due()
        return BUSY if busy else IDLE

    def live(self) -> None:
        WorkerBeat.objects.update_or_create(
            name=self.name, defaults={"seen_at": timezone.now(), "version": settings.VERSION[:40]}
        )

    def end(self) -> None:
        WorkerBeat.objects.filter(name=self.name).delete()

    def _is_time(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every
        return True


def enqueue_due_clusters() -> None:
    """Claim the turn of each cluster that is due. Should the job be lost, the turn ends with its lease."""
    now = timezone.now()
    active = [config.cluster_id for config in registry.clusters()]
    waiting = ClusterSync.objects.filter(due_at__gt=now, cluster_id__in=active)
    later = {str(cluster_id) for cluster_id in waiting.values_list("cluster", flat=True)}
    for cluster_id in active:
        if cluster_id not in later and (attempt := ClusterSync.claim(cluster_id, now)):
            tasks.sync.enqueue(cluster_id, attempt)
