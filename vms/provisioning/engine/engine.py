"""The engine of one cluster: takes machines in hand and carries their steps out.

A turn reads what has come, decides in one transaction, and makes the calls after its commit: whatever was sent is
written down before. Only this thread writes; the calls have threads of their own.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from clusters import proxmox
from clusters.config import ClusterConfig
from vms.models import MadeMachine, Operation
from vms.provisioning.engine.calling import Answer, Calls
from vms.provisioning.engine.hand import NEVER, TASKS, Call, Dropped, Hand, Refused, Step, Then
from vms.provisioning.engine.leases import RENEW_EVERY, Leases
from vms.provisioning.engine.pacing import Duration, Pace
from vms.provisioning.engine.slots import Limits, Place, Slot, Slots
from vms.provisioning.engine.tasks import FollowedTasks

# Seconds between two looks for machines that were added, and the longest time that nothing is due.
TAKE_EVERY = 1.0
LONGEST_PAUSE = 0.5


class HeldUp(Exception):
    """This worker was stopped for so long that another one may have its machines. It sends nothing any more."""


class Engine:
    """One worker's, for one cluster."""

    def __init__(
        self,
        config: ClusterConfig,
        calls: Calls,
        *,
        steps: Mapping[str, Step],
        limits: Limits,
        durations: dict[str, Duration] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.clock, self.slots = config, clock, Slots(limits)
        self.hands: dict[int, Hand] = {}
        self._calls, self._steps = calls, steps
        self._leases = Leases(config.cluster_id)
        self._tasks = FollowedTasks(self, {} if durations is None else durations)
        self._wanted: list[tuple[object, Call]] = []
        self._proofs: list[Operation] = []
        self._take_at = self._renew_at = 0.0
        self.have_slots_changed = True
        self.answered_at = 0.0  # when the answer came that is being read, by the engine's clock

    # For the worker

    def turn(self, *, within: float = 0.0, beginning: bool = True) -> float:
        """One turn; waits so many seconds for an answer. Returns the seconds until something is due."""
        answers = self._calls.answers(within=within)
        if answers or self._has_due():
            with transaction.atomic():
                self._keep()
                if beginning and self.clock() >= self._take_at:
                    self._take()
                for answer in answers:
                    self._settle(answer)
                if beginning:
                    self._act()
                self._save_proofs()
        ask_at = self._tasks.ask()
        wanted, self._wanted = self._wanted, []
        for key, call in wanted:
            self._calls.begin(key, call)
        return self._pause(ask_at)

    def finish(self) -> None:
        """Wait for the calls that were made, and note what came of them."""
        while self._calls.under_way:
            self.turn(within=1.0, beginning=False)

    def leave(self) -> None:
        """Leave the machines to others."""
        self._leases.release()
        self.hands.clear()

    @property
    def has_answers(self) -> bool:
        """Whether calls are under way, or have ended and not been looked at."""
        return bool(self._calls.under_way)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand that is due soon or waits for a cluster."""
        soon = self.clock() + 3.0
        waits = any(hand.task or hand.is_calling or hand.due < soon for hand in self.hands.values())
        return not waits and not self._calls.under_way

    # For the steps

    def call(self, hand: Hand, call: Call, *, then: Then, refused: Refused) -> None:
        self.want((hand, then, refused), partial(self._guarded, call))

    def want(self, key: object, call: Call) -> None:
        """Have it called when this turn is committed."""
        self._wanted.append((key, call))

    def _guarded(self, call: Call, maker: proxmox.Maker) -> object:
        if not self._leases.lasts_for_a_call:
            raise HeldUp
        return call(maker)

    def prove(self, done: Operation) -> None:
        """Have it saved with what else this turn writes."""
        self._proofs.append(done)

    def drop(self, hand: Hand) -> None:
        self.have_slots_changed = True
        self.hands.pop(hand.made.pk, None)

    def pace(self, node: str) -> Pace:
        return self._tasks.pace(node)

    # A turn

    def _keep(self) -> None:
        """Renew the leases, by the time that they are of: the engine's clock may be another one."""
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEW_EVERY
        mine = self._leases.renew()
        for pk in self.hands.keys() - mine:
            del self.hands[pk]

    def _take(self) -> None:
        self._take_at = self.clock() + TAKE_EVERY
        now = timezone.now()
        for made in self._leases.take():
            self.have_slots_changed = True
            hand = self.hands[made.pk] = Hand(made, self)
            if made.next_look_at and made.next_look_at > now:
                hand.wait((made.next_look_at - now).total_seconds())

    def _save_proofs(self) -> None:
        if self._proofs:
            Operation.objects.bulk_create(self._proofs)
            self._proofs.clear()

    def _settle(self, answer: Answer) -> None:
        key: Any = answer.key
        self.answered_at = self.clock() - (time.monotonic() - answer.at)
        if isinstance(key, str):
            self._tasks.answered(key, answer)
            return
        hand: Hand
        hand, then, refused = key
        if self.hands.get(hand.made.pk) is not hand:
            return
        hand.is_calling, hand.due = False, 0.0
        self.do(hand, partial(refused, hand, answer.error) if answer.error else partial(then, hand, answer.value))

    def _has_due(self) -> bool:
        now = self.clock()
        if now >= self._take_at or time.monotonic() >= self._renew_at or self.have_slots_changed:
            return True
        return any(hand.due <= now for hand in self.hands.values())

    def _act(self) -> None:
        """What is due, those that are furthest first: a machine that is nearly ready is worth more than a new clone."""
        if self.have_slots_changed:
            self._count()
        now = self.clock()
        due = [hand for hand in self.hands.values() if hand.due <= now and not hand.is_calling]
        for hand in sorted(due, key=lambda hand: hand.made.state == MadeMachine.State.WAITING):
            self._carry_on(hand)
        while first := self._next_for_slot():
            first.due, first.slot = 0.0, None
            self._carry_on(first)

    def _carry_on(self, hand: Hand) -> None:
        """Until it waits for something: a step that needs no call is followed by the next one."""
        step = None
        while self.hands.get(hand.made.pk) is hand and hand.due <= self.clock() and step != hand.made.step:
            step = hand.made.step
            self.do(hand, partial(self.step_of(hand).act, hand))

    def step_of(self, hand: Hand) -> Step:
        """What is next: removing, or what follows the last step of making."""
        is_removed = hand.made.state == MadeMachine.State.REMOVING
        return self._steps["removing" if is_removed else hand.made.step]

    def do(self, hand: Hand, work: Callable[[], None]) -> None:
        try:
            work()
        except Dropped:
            self.drop(hand)

    def _count(self) -> None:
        """Count what is under way, and let those try that wait for a slot."""
        self.have_slots_changed = False
        sent = [hand for hand in self.hands.values() if hand.made.sent_what in TASKS]
        clones = [hand.place for hand in sent if hand.made.sent_what == "clone"]
        self.slots.recount(clones, [hand.made.node for hand in sent if hand.made.sent_what != "clone"])

    def _next_for_slot(self) -> Hand | None:
        """The first that waits for a slot which is free. A clone goes where fewest are under way."""
        found: Hand | None = None
        fewest = NEVER
        for slot, hand in self._first_for_slots().items():
            if self.slots.has_room(slot):
                load = self.slots.clones_on(slot) if isinstance(slot, Place) else -1
                if load < fewest:
                    found, fewest = hand, load
        return found

    def _first_for_slots(self) -> dict[Slot, Hand]:
        found: dict[Slot, Hand] = {}
        for hand in self.hands.values():
            if hand.slot is not None:
                found.setdefault(hand.slot, hand)
        return found

    def _pause(self, ask_at: float) -> float:
        now = self.clock()
        due = min((hand.due for hand in self.hands.values() if not hand.is_calling and hand.due > now), default=NEVER)
        return max(0.0, min(min(due, ask_at) - now, LONGEST_PAUSE))
