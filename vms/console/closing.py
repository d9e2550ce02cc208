"""Consoles that have to end: an administrator closes them, or what they were opened by is no more.

Whichever of them is first looks for all of its process, with one query. It looks at the data, so it does not matter who
wrote there, or how.
"""

import asyncio
import logging
import math
import time
from uuid import UUID

from django.db import DatabaseError

from vms.console.permissions import Visitor
from vms.console.threads import apart
from vms.models import ConsoleSession
from vms.models.consoles import ConsoleStatus

logger = logging.getLogger("vms.console")

ASK_EVERY = 1.0

_here: dict[UUID, Visitor] = {}
_ending: dict[UUID, str] = {}
_asked_at = 0.0


async def wait(visitor: Visitor) -> str:
    """Until this console has to end, for at most two turns longer. Returns who closes it; nobody: ask `door.stay`."""
    pk = visitor.row.pk
    _here[pk] = visitor
    try:
        while pk not in _ending:
            await asyncio.sleep(ASK_EVERY)
            if pk not in _ending:
                await _ask()
        return _ending[pk]
    finally:
        _here.pop(pk, None)
        _ending.pop(pk, None)


async def _ask() -> None:
    """Unless another console of this process has just asked, or is about it."""
    global _asked_at  # noqa: PLW0603 - a clock of this process
    if time.monotonic() - _asked_at < ASK_EVERY:
        return
    _asked_at = math.inf
    try:
        await _look(list(_here.values()))
    except DatabaseError as error:  # nobody loses his screen for it: the next turn asks again
        logger.warning("Whether consoles have to end could not be asked: %s", type(error).__name__)
    finally:
        _asked_at = time.monotonic()


async def _look(visitors: list[Visitor]) -> None:
    logins = {visitor.session_key for visitor in visitors}
    found = await apart(ConsoleSession.objects.statuses, [visitor.row.pk for visitor in visitors], logins)
    for visitor in visitors:
        standing = found.get(visitor.row.pk)
        if _has_to_end(visitor, standing, is_logged_in=visitor.session_key in found):
            _ending[visitor.row.pk] = standing.closed_by if standing else ""


def _has_to_end(visitor: Visitor, standing: ConsoleStatus | None, *, is_logged_in: bool) -> bool:
    if standing is None or standing.closed_by or not (standing.may_stay and is_logged_in):
        return True
    return standing.password != visitor.user.password
