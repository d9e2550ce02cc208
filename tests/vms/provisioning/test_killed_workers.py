"""A worker that dies at any moment leaves nothing double, nothing without a row, and nothing unfinished."""

import random
from collections import Counter
from typing import Any

import pytest

from tests.labs import ago
from tests.samples import MAKING_KILLS, SEED
from tests.workshop import TEMPLATE, Workshop
from vms.models import MadeMachine
from vms.provisioning.engine import calling, hand, leases
from vms.provisioning.engine.engine import HeldUp

State = MadeMachine.State


class Killed(BaseException):
    """What kill -9 does: nothing is tidied up, and nothing after this line happens."""


class Fate:
    """Kills at a random one of the next moments: before a write, before a call, or when its answer is lost."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - to be the same again
        self.left = -1
        self.kills: Counter[str] = Counter()

    def draw(self) -> None:
        self.left = self.chance.randrange(1, 90)

    def passes(self, moment: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.kills[moment] += 1
            raise Killed


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch) -> Fate:
    found = Fate(SEED)
    make, advance = calling.Calls._make, leases.advance

    def fateful_call(self: calling.Calls, key: object, call: Any) -> None:
        found.passes("before a call")
        make(self, key, call)
        found.passes("before its answer")

    def fateful_write(made: MadeMachine, **fields: Any) -> bool:
        found.passes("before a write")
        return advance(made, **fields)

    monkeypatch.setattr(calling.Calls, "_make", fateful_call)
    monkeypatch.setattr(hand, "advance", fateful_write)
    monkeypatch.setattr(hand, "SETTLE_WITHIN", hand.timedelta())
    return found


def work_until_killed(workshop: Workshop) -> bool:
    """False when there was nothing left to do."""
    with calling.Calls(workshop.row.config, threads=0) as calls:
        engine = workshop.engine_with(calls)
        try:
            workshop.go_on(engine, seconds=600)
        except (Killed, HeldUp):  # on a machine that is too busy, a worker gives up by itself
            return True
        engine.leave()
        return False


@pytest.mark.timeout(600)
def test_whenever_a_worker_dies_each_row_has_one_machine(workshop: Workshop, fate: Fate):
    """Runs of five, each until it is over, with a worker that is killed again and again."""
    rounds = 0
    while rounds < MAKING_KILLS:
        workshop.run(5)
        fate.draw()
        while work_until_killed(workshop):
            rounds += 1
            fate.draw()
            MadeMachine.objects.exclude(leased_until=None).update(leased_until=ago(seconds=1))
        rows = {made.vmid: str(made.mark) for made in MadeMachine.objects.all()}
        guests = {guest.vmid: guest.description for guest in workshop.pve.guests if guest.vmid < TEMPLATE}
        assert {made.state for made in MadeMachine.objects.all()} == {State.READY}
        assert guests.keys() == rows.keys()
        assert all(mark in guests[vmid] for vmid, mark in rows.items())
    clones = workshop.pve.count("POST", "/clone$")
    assert clones == MadeMachine.objects.count()  # the simulator answers each: none was sent twice
    assert min(fate.kills.values()) > 0
