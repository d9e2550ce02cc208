"""A machine whose memory was written to its disk is locked, and is started nevertheless."""

import pytest

from accounts.models import User
from tests.labs import Lab, run_operations
from vms import operations
from vms.access import rules
from vms.access.context import context_for
from vms.models import Operation

pytestmark = pytest.mark.django_db


def test_it_can_be_started(building_a: Lab, ana: User) -> None:
    guest = building_a.pve.guest(101)
    guest.lock = "suspended"
    building_a.sync()
    started, _new = operations.request(building_a.assign(101, ana), "start", by=ana)
    for _ in range(3):
        run_operations()
        building_a.clock.advance(10)
    started.refresh_from_db()
    assert (started.state, guest.status, guest.lock) == (Operation.State.DONE, "running", None)


def test_a_snapshot_of_it_waits_until_it_is_awake(building_a: Lab, ana: User) -> None:
    building_a.pve.guest(101).lock = "suspended"
    building_a.sync()
    context = context_for(building_a.assign(101, ana), person=ana)
    assert rules.refusal(context, "snapshot") == "The machine is asleep. Start it to continue where it stopped."
