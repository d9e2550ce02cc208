"""Consoles that somebody else closes. Whichever of them is first asks for all of its process, with one query."""

import asyncio
import logging
import time
from uuid import UUID

from django.db import DatabaseError

from vms.console.threads import apart
from vms.models import ConsoleSession

logger = logging.getLogger("vms.console")

ASK_EVERY = 2.0

_here: set[UUID] = set()
_closed: dict[UUID, str] = {}
_asked_at = 0.0


async def wait(pk: UUID) -> str:
    """Until somebody closes this console, for at most two turns longer. Returns who does."""
    _here.add(pk)
    try:
        while pk not in _closed:
            await asyncio.sleep(ASK_EVERY)
            await _ask()
        return _closed[pk]
    finally:
        _here.discard(pk)
        _closed.pop(pk, None)


async def _ask() -> None:
    global _asked_at  # noqa: PLW0603 - a clock of this process
    if time.monotonic() - _asked_at < ASK_EVERY:
        return
    _asked_at = time.monotonic()
    try:
        _closed.update(await apart(ConsoleSession.objects.closed, list(_here)))
    except DatabaseError as error:  # nobody loses his screen for it: the next turn asks again
        logger.warning("Whether a console is closed could not be asked: %s", type(error).__name__)
