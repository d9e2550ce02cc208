"""The heartbeat of a worker: it says that the worker is alive, and enqueues what is due. Any number may run."""

import time
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from vms import automation, operations, registry
from vms.models import ClusterSync, WorkerBeat
from vms.provisioning import running
from vms.worker import schedule, tasks

# Seconds between two ticks, while an operation is open and while none is.
BUSY, IDLE = 0.25, 0.5

# Seconds between two checks of each.
CLUSTERS, MAKING, ADMISSION, SCHEDULE = 0.5, 1.0, 2.0, 5.0


@dataclass
class Heartbeat:
    """One worker's: each tick reconciles open operations, cluster syncs and periodic jobs."""

    name: str
    _next: dict[str, float] = field(default_factory=dict)
    _clock: automation.Clock = field(default_factory=automation.Clock)
    _is_held: bool = False

    def tick(self, *, everything: bool = False) -> float:
        """Enqueue what is due. Returns the seconds until the next tick."""
        if everything:
            self._next.clear()
        if self._is_due("heartbeat", WorkerBeat.EVERY.total_seconds()):
            self.record()
            self._is_held = automation.check_in(self._clock)
        with registry.resolved_once():
            if registry.state().is_fallback:
                return IDLE  # clusters that are in no database are shown, never operated
            busy = not self._is_held and self._act()
            if self._is_due("clusters", CLUSTERS):
                enqueue_due_clusters()
        if self._is_due("schedule", SCHEDULE):
            schedule.enqueue_due()
        return BUSY if busy else IDLE

    def _act(self) -> bool:
        """What changes something on clusters. Returns whether there is more to do."""
        busy = operations.reconcile_open(admitting=self._is_due("admission", ADMISSION))
        if self._is_due("making", MAKING):
            running.reconcile()
        return busy

    def record(self) -> None:
        WorkerBeat.objects.update_or_create(
            name=self.name, defaults={"seen_at": timezone.now(), "version": settings.VERSION[:40]}
        )

    def remove(self) -> None:
        WorkerBeat.objects.filter(name=self.name).delete()

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every
        return True


def enqueue_due_clusters() -> None:
    """Claim and enqueue the sync of each cluster that is due. If the job is lost, the claim ends with its lease."""
    now = timezone.now()
    active = [config.cluster_id for config in registry.clusters()]
    waiting = ClusterSync.objects.filter(due_at__gt=now, cluster_id__in=active)
    not_due = {str(cluster_id) for cluster_id in waiting.values_list("cluster", flat=True)}
    for cluster_id in active:
        if cluster_id not in not_due and (attempt := ClusterSync.claim(cluster_id, now)):
            tasks.sync.enqueue(cluster_id, attempt)
