"""The automation hold: after a restore, under another name or after a jump of the clock, nothing acts by itself.

Start, stop, make, remove, prepare and the timetable wait until an administrator has confirmed that this is the portal
that these machines belong to. Reading goes on.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.compiled_queries import CompiledList
from vms.models import Automation, MadeMachine, Operation
from vms.models.operations import ended
from vms.sentences import say

Reason = Automation.Reason

# A jump of the clock that nobody corrects by the way.
LONGEST_JUMP = timedelta(minutes=10)


_HELD = CompiledList(lambda: Automation.objects.filter(held_since__isnull=False).values_list("pk")[:1])


def is_held() -> bool:
    return bool(_HELD.all_raw())


def hold(reason: str, *, found_instance: str = "") -> None:
    """Let nothing act by itself from now on. The first reason stays until it is confirmed."""
    Automation.objects.get_or_create(pk=Automation.ONLY, defaults={"instance": settings.INSTANCE_NAME})
    free = Automation.objects.filter(held_since=None)
    free.update(held_since=timezone.now(), reason=reason, found_instance=found_instance)


class Clock:
    """Of one process: how far its time of day has jumped since it was looked at last."""

    def __init__(
        self, *, now: Callable[[], datetime] = timezone.now, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._elapsed = now, elapsed
        self._at = now(), elapsed()

    def jump(self) -> timedelta:
        """Forward or back; a process that sleeps while the computer does sees a jump, too."""
        then, begun = self._at
        self._at = self._now(), self._elapsed()
        return abs(self._at[0] - then - timedelta(seconds=self._at[1] - begun))


def check_in(clock: Clock) -> bool:
    """Called by each worker every few seconds. Returns whether everything is held."""
    now, jump = timezone.now(), clock.jump()
    known, is_new = Automation.objects.get_or_create(
        pk=Automation.ONLY, defaults={"instance": settings.INSTANCE_NAME, "seen_at": now}
    )
    if is_new:
        return False
    if known.instance != settings.INSTANCE_NAME and not known.held_since:
        hold(Reason.MOVED, found_instance=settings.INSTANCE_NAME)
    elif (jump > LONGEST_JUMP or known.seen_at > now + LONGEST_JUMP) and not known.held_since:
        hold(Reason.CLOCK)
    Automation.objects.filter(pk=known.pk).update(seen_at=now)
    return is_held()


def confirm(*, by: str, drops_waiting: bool) -> bool:
    """This is the portal of these machines. Without `drops_waiting`, what waited goes on. False: nothing was held."""
    with transaction.atomic():
        held = Automation.objects.select_for_update().filter(pk=Automation.ONLY, held_since__isnull=False).first()
        if held is None:
            return False
        if drops_waiting:
            _drop_waiting(by)
        Automation.objects.filter(pk=held.pk).update(
            held_since=None,
            reason="",
            instance=held.found_instance or held.instance or settings.INSTANCE_NAME,
            found_instance="",
            seen_at=timezone.now(),
            confirmed_at=timezone.now(),
            confirmed_by_name=by,
        )
    return True


def waiting() -> dict[str, int]:
    """How much would go on: operations, and machines to make and to remove."""
    State = MadeMachine.State  # noqa: N806 - the model's own name
    machines = MadeMachine.objects.unremoved()
    return {
        "operations": Operation.objects.filter(state=Operation.State.REQUESTED).count(),
        "made": machines.filter(state__in=[State.WAITING, State.WORKING]).count(),
        "removed": machines.filter(state=State.REMOVING).count(),
    }


def _drop_waiting(by: str) -> None:
    """What was sent is followed, but nothing else is sent for it."""
    state, now, why = MadeMachine.State, timezone.now(), say("automation-dropped", name=by)
    Operation.objects.all().cancel_unsent(why)
    unremoved = MadeMachine.objects.unremoved().order_by()
    fresh = {"leased_until": None, **ended(why)}
    unremoved.filter(state=state.WAITING, sent_what="").update(state=state.CANCELLED, removed_at=now, **fresh)
    unremoved.filter(state__in=[state.WAITING, state.WORKING]).update(state=state.FAILED, **fresh)
    unremoved.filter(state=state.REMOVING).update(state=state.REFUSED, **fresh)


def start_refusals(operations: list[Operation]) -> Mapping[uuid.UUID, str]:
    """A guard of requests: what nobody would send is refused at once."""
    if not is_held():
        return {}
    return {operation.pk: say("automation-held") for operation in operations}
