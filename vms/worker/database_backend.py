"""The queue in the database of the portal."""

from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction, is_locked_database_exception

from vms.worker.queue_backend import KEPT, Job


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
