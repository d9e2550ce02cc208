"""The queue in Redis. Needs requirements-redis.txt, so it is imported only where it is used."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import django_rq
from django.conf import settings
from django.db import Error as DatabaseError
from django_tasks_rq import Job as RqJob
from redis.exceptions import RedisError
from rq.registry import clean_registries
from rq.timeouts import BaseDeathPenalty
from rq.worker import SimpleWorker

from vms.worker.queue_backend import KEPT, Job


class NoDeathPenalty(BaseDeathPenalty):
    """Signals reach the main thread alone. The gateway has a deadline for everything that could hang."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class ThreadWorker(SimpleWorker):
    """RQ's worker as one of many threads, so that connections to clusters are kept."""

    death_penalty_class = NoDeathPenalty

    def procline(self, message: Any) -> None:
        """The process has its own name."""


class RedisBackend:
    """Jobs are RQ's. An RQ worker in each thread runs them, without forks, signals and deadlines of its own."""

    def __init__(self, name: str) -> None:
        self.outages: tuple[type[Exception], ...] = (RedisError, DatabaseError)
        self._name = name
        self._queues = {queue: django_rq.get_queue(queue, job_class=RqJob) for queue in settings.QUEUES}
        self._own = threading.local()

    def dequeue(self, queues: Sequence[str]) -> Job | None:
        asked = [self._queues[name] for name in queues]
        one = asked[0]
        found = one.dequeue_any(
            asked, None, connection=one.connection, job_class=one.job_class, serializer=one.serializer
        )
        if found is None:
            return None
        job, queue = found
        job.result_ttl, job.failure_ttl = 60, int(KEPT.total_seconds())
        return Job(queue.name, partial(self._run, job, self._queues[queue.name]))

    def _run(self, job: Any, queue: Any) -> None:
        self._worker_for(queue).execute_job(job, queue)

    def _worker_for(self, queue: Any) -> Any:
        workers = self._own.__dict__.setdefault("workers", {})
        if queue.name not in workers:
            name = f"{self._name}-{threading.get_ident()}-{queue.name}"
            workers[queue.name] = ThreadWorker(
                [queue], name=name, connection=queue.connection, serializer=queue.serializer
            )
        return workers[queue.name]

    def forget_finished(self) -> None:
        """RQ forgets finished jobs by itself; this forgets those whose worker died."""
        for queue in self._queues.values():
            clean_registries(queue)
