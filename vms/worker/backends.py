"""The two queue backends behind one interface. A queue holds names and ids; nothing reads a result from it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction, is_locked_database_exception

# Finished jobs are kept for whoever investigates a fault.
KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Job:
    """What a worker runs, and the queue that it came from."""

    queue: str
    run: Callable[[], object]


class QueueBackend(Protocol):
    # Raised while the server of the queue is away.
    outages: tuple[type[Exception], ...]

    def dequeue(self, queues: Sequence[str]) -> Job | None:
        """The next job of these queues, or None."""

    def forget_finished(self) -> None: ...


class DatabaseBackend:
    """Jobs are rows of django-tasks-db, whose own worker runs them."""

    outages: tuple[type[Exception], ...] = (DatabaseError,)

    def __init__(self, name: str) -> None:
        self._worker = DatabaseWorker(
            queue_names=list(settings.QUEUES), interval=0, batch=False, backend_name="default", startup_delay=False,
            max_tasks=None, worker_id=name[:64], excluded_queue_names=[],
        )  # fmt: skip

    def dequeue(self, queues: Sequence[str]) -> Job | None:
        ready = DBTaskResult.objects.ready().filter(backend_name="default", queue_name__in=queues)
        if not ready.exists():  # this query takes no lock
            return None
        try:
            with exclusive_transaction(ready.db):
                row = ready.get_locked()
                if row is None:
                    return None
                row.claim(self._worker.worker_id)
        except OperationalError as error:
            if is_locked_database_exception(error):
                return None
            raise
        return Job(row.queue_name, partial(self._worker.run_task, row))

    def forget_finished(self) -> None:
        """Also forget jobs whose worker died."""
        before = timezone.now() - KEPT
        DBTaskResult.objects.finished().filter(finished_at__lt=before).delete()
        DBTaskResult.objects.running().filter(started_at__lt=before).delete()


class RedisBackend:
    """Jobs are RQ's. An RQ worker in each thread runs them, without forks, signals and deadlines of its own."""

    def __init__(self, name: str) -> None:
        import django_rq  # noqa: PLC0415 - an optional extra
        from django_tasks_rq import Job as RqJob  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

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
        from vms.worker.rq_worker import ThreadWorker  # noqa: PLC0415

        workers = self._own.__dict__.setdefault("workers", {})
        if queue.name not in workers:
            name = f"{self._name}-{threading.get_ident()}-{queue.name}"
            workers[queue.name] = ThreadWorker(
                [queue], name=name, connection=queue.connection, serializer=queue.serializer
            )
        return workers[queue.name]

    def forget_finished(self) -> None:
        """RQ forgets finished jobs by itself; this forgets those whose worker died."""
        from rq.registry import clean_registries  # noqa: PLC0415

        for queue in self._queues.values():
            clean_registries(queue)


def for_worker(name: str) -> QueueBackend:
    """The queue backend of the TASKS setting, for the worker of this name."""
    by_redis = str(settings.TASKS["default"]["BACKEND"]).startswith("django_tasks_rq.")
    return RedisBackend(name) if by_redis else DatabaseBackend(name)


def forget_finished() -> None:
    for_worker("cleaner").forget_finished()
