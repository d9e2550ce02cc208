"""Redis as the queue backend: what lies in it runs nothing, and its own pages are not there."""

import pickle
import zlib
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from tests.labs import Lab
from vms.worker import Worker, process, tasks

pytestmark = [
    pytest.mark.usefixtures("own_database"),
    pytest.mark.skipif(
        not settings.REDIS_URL, reason="allowed: needs Redis: bin/test --redis (apt install redis-server)"
    ),
]

ran: list[str] = []


def spring(text: str) -> None:
    ran.append(text)


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return spring, ("it ran",)


def test_the_trap_is_one():
    """What reads pickles falls into it."""
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301 - that is the point
    assert ran.pop() == "it ran"


def test_a_job_that_somebody_put_there_is_read_as_data(building_a: Lab):
    import django_rq  # noqa: PLC0415 - an optional extra

    tasks.look_closer.enqueue("building-a")
    queue = django_rq.get_queue("details")
    queue.connection.hset(f"rq:job:{queue.job_ids[-1]}", "data", zlib.compress(pickle.dumps(Trap())))
    worker = Worker()
    while worker._start_next() == process.BUSY:
        worker.finish()
    assert ran == []
    assert queue.count == 0


def test_the_pages_of_the_queues_are_not_there(client: Client):
    bare = User.objects.create_user("bare", is_staff=True)
    client.force_login(bare)
    assert client.get("/admin/django_rq/dashboard/").status_code == 404
