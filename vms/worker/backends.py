"""Chooses the queue backend of the worker, by the TASKS setting."""

from django.conf import settings
from django.utils.module_loading import import_string

from vms.worker.queue_backend import QueueBackend

DATABASE = "vms.worker.database_backend.DatabaseBackend"
BACKENDS = {"django_tasks_rq.RQBackend": "vms.worker.redis_backend.RedisBackend"}


def for_worker(name: str) -> QueueBackend:
    """The queue backend for the worker of this name."""
    backend: QueueBackend = import_string(BACKENDS.get(str(settings.TASKS["default"]["BACKEND"]), DATABASE))(name)
    return backend


def forget_finished() -> None:
    for_worker("cleaner").forget_finished()
