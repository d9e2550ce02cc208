"""The machines that one worker has in hand. Its lease on each is renewed while it works; what it leaves, another takes.

The time until which a lease lasts tells whose it is, to the microsecond; the number of the attempt fences off a worker
that was held up and comes back.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from accounts.compiled_queries import CompiledUpdate
from clusters.proxmox.client import DEADLINE
from vms.models import MadeMachine

State = MadeMachine.State

LEASE = timedelta(seconds=30)
RENEW_EVERY = 8.0  # seconds

# Seconds that the lease has to last for a call: otherwise another worker looks for what is not there yet.
NEEDED = DEADLINE + 2

OPEN = (State.WAITING, State.WORKING, State.REMOVING)


class Leases:
    """Of one worker, on machines of one cluster."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._own: list[datetime] = []
        self._ends = 0.0

    def take(self) -> list[MadeMachine]:
        """Claim every open machine that nobody has. Returns those that are new in hand, in the order of their runs."""
        now, began = timezone.now(), time.monotonic()
        until = now + LEASE
        free = MadeMachine.objects.filter(cluster_id=self._cluster_id, state__in=OPEN)
        free = free.filter(Q(leased_until=None) | Q(leased_until__lt=now))
        if not free.order_by().update(leased_until=until, attempt=F("attempt") + 1):
            return []
        if not self._own:
            self._ends = began + LEASE.total_seconds()
        self._own.append(until)
        taken = MadeMachine.objects.filter(cluster_id=self._cluster_id, leased_until=until, state__in=OPEN)
        return list(taken.select_related(*RELATED).order_by("run__requested_at", "position", "pk"))

    def renew(self) -> set[int]:
        """Returns the keys of those that are still in hand."""
        began, until = time.monotonic(), timezone.now() + LEASE
        held = MadeMachine.objects.filter(cluster_id=self._cluster_id, leased_until__in=self._own, state__in=OPEN)
        held.order_by().update(leased_until=until)
        self._own, self._ends = [until], began + LEASE.total_seconds()
        return set(held.model.objects.filter(leased_until=until).values_list("pk", flat=True))

    def release(self) -> None:
        held = MadeMachine.objects.filter(cluster_id=self._cluster_id, leased_until__in=self._own, state__in=OPEN)
        held.order_by().update(leased_until=None)

    @property
    def lasts_for_a_call(self) -> bool:
        """By a clock that runs on while this process is stopped."""
        return time.monotonic() + NEEDED < self._ends


RELATED = ("run__template__cluster", "run__machine_set", "run__requested_by", "copy", "network", "for_user", "vm",
           "reimages__vm")  # fmt: skip


UPDATE = CompiledUpdate(MadeMachine)


def advance(made: MadeMachine, **fields: Any) -> bool:
    """Write these fields if this attempt still has the machine. False when it was cancelled or taken over."""
    mine = {"pk": made.pk, "attempt": made.attempt, "state": made.state}
    changed = UPDATE.update(mine, fields)
    if changed:
        for name, value in fields.items():
            setattr(made, name, value)
    return bool(changed)
