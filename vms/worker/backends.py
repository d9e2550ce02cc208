"""The two engines behind one face. An engine carries names and ids; it is never asked how a job ended."""

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

# Finished jobs are kept for those who look for a fault.
KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Job:
    """Something to do, and from which queue it came."""

    queue: str
    run: Callable[[], object]


class Engine(Protocol):
    # What is raised while the engine's server is away.
    outages: tuple[type[Exception], ...]

    def take(self, queues: Sequence[str]) -> Job | None:
        """Take a job off one of these queues, if there is one."""

    def forget_finished(self) -> None: ...


class DatabaseEngine:
    """Jobs are rows of django-tasks-db; its own worker runs them."""

    outages: tuple[type[Exception], ...] = (DatabaseError,)

    def __init__(self, name: str) -> None:
        self._worker = DatabaseWorker(
            queue_names=list(settings.QUEUES), interval=0, batch=False, backend_name="default", startup_delay=False,
            max_tasks=None, worker_id=name[:64], excluded_queue_names=[],
        )  # fmt: skip

    def take(self, queues: Sequence[str]) -> Job | None:
        ready = DBTaskResult.objects.ready().filter(backend_name="default", queue_name__in=queues)
        if not ready.exists():  # a look takes no lock
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
        """Also those that no worker lived to finish."""
        before = timezone.now() - KEPT
        DBTaskResult.objects.finished().filter(finished_at__lt=before).delete()
        DBTaskResult.objects.running().filter(started_at__lt=before).delete()


class RedisEngine:
    """Jobs are RQ's; a worker of RQ's in each thread runs them, without forks, signals and deadlines of its own."""

    def __init__(self, name: str) -> None:
        import django_rq  # noqa: PLC0415 - an optional extra
        from django_tasks_rq import Job as RqJob  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        self.outages: tuple[type[Exception], ...] = (RedisError, DatabaseError)
        self._name = name
        self._queues = {queue: django_rq.get_queue(queue, job_class=RqJob) for queue in settings.QUEUES}
        self._own = threading.local()

    def take(self, queues: Sequence[str]) -> Job | None:
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
        """RQ forgets by itself what ended; this is for what no worker lived to finish."""
        from rq.registry import clean_registries  # noqa: PLC0415

        for queue in self._queues.values():
            clean_registries(queue)


def chosen(name: str) -> Engine:
    """The engine of the TASKS setting, for the worker of this name."""
    by_redis = str(settings.TASKS["default"]["BACKEND"]).startswith("django_tasks_rq.")
    return RedisEngine(name) if by_redis else DatabaseEngine(name)


def forget_finished() -> None:
    chosen("cleaner").forget_finished()
