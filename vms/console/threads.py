"""What waits for the database or a cluster, beside the event loop that carries bytes."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """On a thread of its own, which leaves no connection to the database behind."""

    def run() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    async with ThreadSensitiveContext():
        return await sync_to_async(run)()
