"""Closes consoles: those that an administrator closes, and those whose permission or login ended.

One console of each process checks for all of them, with one query. It reads the data, so it does not matter which
process changed it.
"""

import asyncio
import logging
import math
import time
from uuid import UUID

from django.db import DatabaseError

from vms.console.permissions import Viewer
from vms.console.threads import run_in_thread
from vms.models import ConsoleSession
from vms.models.consoles import ConsoleStatus

logger = logging.getLogger("vms.console")

CHECK_EVERY = 1.0

_viewers: dict[UUID, Viewer] = {}
_ending: dict[UUID, str] = {}
_checked_at = 0.0


async def wait(viewer: Viewer) -> str:
    """Wait until this console has to close, or at most two checks longer. Returns the name of who closes it; empty when
    nobody does: then `permissions.recheck` tells why.
    """
    pk = viewer.row.pk
    _viewers[pk] = viewer
    try:
        while pk not in _ending:
            await asyncio.sleep(CHECK_EVERY)
            if pk not in _ending:
                await _check()
        return _ending[pk]
    finally:
        _viewers.pop(pk, None)
        _ending.pop(pk, None)


async def _check() -> None:
    """Check, unless another console of this process has just done so or is doing it."""
    global _checked_at  # noqa: PLW0603 - a clock of this process
    if time.monotonic() - _checked_at < CHECK_EVERY:
        return
    _checked_at = math.inf
    try:
        await _query(list(_viewers.values()))
    except DatabaseError as error:  # nobody is disconnected for it: the next check tries again
        logger.warning("Whether consoles have to close could not be checked: %s", type(error).__name__)
    finally:
        _checked_at = time.monotonic()


async def _query(viewers: list[Viewer]) -> None:
    logins = {viewer.session_key for viewer in viewers}
    statuses = await run_in_thread(ConsoleSession.objects.statuses, [viewer.row.pk for viewer in viewers], logins)
    for viewer in viewers:
        status = statuses.get(viewer.row.pk)
        if _has_to_close(viewer, status, is_logged_in=viewer.session_key in statuses):
            _ending[viewer.row.pk] = status.closed_by if status else ""


def _has_to_close(viewer: Viewer, status: ConsoleStatus | None, *, is_logged_in: bool) -> bool:
    if status is None or status.closed_by or not (status.may_stay and is_logged_in):
        return True
    return status.password != viewer.user.password
