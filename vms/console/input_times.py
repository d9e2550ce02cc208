"""When people last used keys or pointer in the consoles of a machine: an open console alone is no sign of use."""

import asyncio
import logging
from datetime import timedelta

from django.db import Error
from django.db.models import Q
from django.utils import timezone

from vms.console.threads import run_in_thread
from vms.models import VirtualMachine

logger = logging.getLogger("vms.console")

# How often it is written at most, whatever the number of consoles and processes. The stored time may be behind by this.
WRITTEN_EVERY = timedelta(minutes=1)


async def record(machine: int, input_passed: asyncio.Event) -> None:
    """Write the first input after a pause at once, and then once a minute while there is more. Never returns."""
    while True:
        await input_passed.wait()
        input_passed.clear()
        await run_in_thread(write, machine)
        await asyncio.sleep(WRITTEN_EVERY.total_seconds())


def write(machine: int) -> bool:
    """False when it was written within the last minute, by this or another process, or the database did not take it.

    Then a console stays open all the same; the next input is tried a minute later.
    """
    now = timezone.now()
    old = Q(console_input_at=None) | Q(console_input_at__lte=now - WRITTEN_EVERY) | Q(console_input_at__gt=now)
    try:
        return bool(VirtualMachine.objects.filter(old, pk=machine).update(console_input_at=now))
    except Error as error:
        logger.warning("The input at a console could not be recorded: %s", error)
        return False
