"""The worker: reads every cluster on its interval and takes open operations a step further."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from django.db import OperationalError, connections
from django.utils import timezone

from clusters.config import ClusterConfig
from vms import inventory, operations, registry
from vms.models import ClusterSync, Operation

logger = logging.getLogger(__name__)

# Seconds between two looks at the tables.
PAUSE = 0.5

# Conversations at once. One that hangs occupies one of them until the gateway's deadline.
THREADS = 16


class Worker:
    """Runs until it is stopped. Several may run, on several hosts: rows are claimed by conditional updates."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="worker")
        self._busy: dict[str, Future[None]] = {}

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.turn()
            except OperationalError:
                logger.exception("The database did not answer; the worker tries again.")
                connections.close_all()
                self.stopping.wait(5)
            self.stopping.wait(PAUSE)
        self._pool.shutdown(wait=True)

    def turn(self) -> None:
        """Start what is due and not already being done by this worker."""
        self._busy = {name: job for name, job in self._busy.items() if not job.done()}
        with registry.resolved_once():
            if registry.state().is_fallback:
                return  # an unimported or old file is looked at, never worked on
            configs = registry.clusters()
        for config in configs:
            self._start(f"sync {config.cluster_id}", partial(sync_when_due, config))
        for cluster_id in set(Operation.objects.waiting().values_list("cluster_id", flat=True)):
            operations.admit(cluster_id)
        for operation in Operation.objects.due(timezone.now()).select_related("vm", "requested_by"):
            self._start(f"operation {operation.pk}", partial(operations.work_on, operation))

    def finish(self, *, timeout: float = 30) -> None:
        """Wait for what was started."""
        deadline = time.monotonic() + timeout
        for job in self._busy.values():
            job.result(timeout=max(0.1, deadline - time.monotonic()))

    def _start(self, name: str, job: Callable[[], None]) -> None:
        if name not in self._busy:
            self._busy[name] = self._pool.submit(_in_own_connection, name, job)


def _in_own_connection(name: str, job: Callable[[], None]) -> None:
    try:
        with registry.resolved_once():
            job()
    except Exception:
        logger.exception("%s failed.", name)
    finally:
        connections.close_all()


def sync_when_due(config: ClusterConfig) -> None:
    attempt = ClusterSync.claim(config.cluster_id, timezone.now())
    if not attempt:
        return
    failed = True
    try:
        failed = bool(inventory.sync(config).problem)
    finally:
        ClusterSync.schedule_next(config.cluster_id, attempt=attempt, failed=failed)
