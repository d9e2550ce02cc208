"""Machines that high availability looks after: it takes each request, and carries it out when it can."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, ago, run_operations
from vms import operations
from vms.access import rules
from vms.access.context import context_for
from vms.models import Operation, VirtualMachine
from vms.pages import cards

pytestmark = pytest.mark.django_db

STUCK = (111, 112, 113, 114)


def run(lab: Lab, turns: int = 5) -> None:
    for _ in range(turns):
        run_operations()
        lab.clock.advance(3)


@pytest.fixture
def stuck(building_a: Lab, ana: User) -> list[VirtualMachine]:
    """Four machines of one node whose starts high availability has taken, and does not carry out."""
    for vmid in STUCK:
        building_a.pve.add_guest(vmid, name=f"ha-{vmid}", node="pve1", ha=True).ha_stuck = True
    building_a.sync()
    machines = [building_a.assign(vmid, ana) for vmid in STUCK]
    for machine in machines:
        operations.request(machine, "start", by=ana)
    run(building_a)
    building_a.sync()
    return machines


def card(machine: VirtualMachine) -> cards.Card:
    machine.refresh_from_db()
    return cards.groups([machine], operable={machine.pk}, for_staff=False)[0].cards[0]


def test_what_waits_for_it_keeps_nobody_else_on_the_node_waiting(
    building_a: Lab, stuck: list[VirtualMachine], ben: User
):
    assert Operation.objects.open().count() == len(STUCK)
    operations.request(building_a.assign(101, ben), "start", by=ben)
    run(building_a)
    assert building_a.pve.guest(101).status == "running"


def test_after_a_minute_the_card_says_who_has_it_in_hand(stuck: list[VirtualMachine]):
    assert card(stuck[0]).status == "Starting"
    Operation.objects.update(sent_at=ago(seconds=61))
    assert card(stuck[0]).status == "Waiting for high availability"


def test_a_forced_stop_cancels_it(building_a: Lab, stuck: list[VirtualMachine], ana: User):
    assert [one.action for one in card(stuck[0]).buttons] == ["stop"]
    operations.request(stuck[0], "stop", by=ana)
    run(building_a)
    done = Operation.objects.filter(vm=stuck[0]).order_by("requested_at").values_list("action", "state")
    assert list(done) == [("start", "cancelled"), ("stop", "done")]


def test_it_is_followed_until_it_is_carried_out(building_a: Lab, stuck: list[VirtualMachine]):
    building_a.pve.guest(111).status = "running"
    run(building_a, 1)
    operation = Operation.objects.get(vm=stuck[0])
    assert (operation.state, operation.outcome) == ("done", "")


def test_what_it_carries_out_at_once_ends_as_ever(building_a: Lab, ana: User):
    building_a.pve.add_guest(111, name="ha", node="pve1", ha=True)
    building_a.sync()
    operations.request(building_a.assign(111, ana), "start", by=ana)
    run(building_a)
    assert Operation.objects.get().state == "done"


@pytest.fixture
def given_up(building_a: Lab, ana: User) -> VirtualMachine:
    building_a.pve.guest(101).ha = "error"
    building_a.sync()
    return building_a.assign(101, ana)


@pytest.mark.parametrize("action", ["start", "stop"])
def test_what_it_gave_up_is_refused_with_the_reason(given_up: VirtualMachine, ana: User, action: str):
    reason = rules.refusal(context_for(given_up, person=ana), action)
    assert reason
    assert "High availability has given up on this machine." in reason


def test_the_pages_say_that_it_gave_up(given_up: VirtualMachine, ana: User, client: Client):
    assert "High availability has given up" in card(given_up).reason
    client.force_login(ana)
    page = client.get(f"/vms/{given_up.pk}/").content.decode()
    assert "<dt>High availability</dt><dd>error</dd>" in page


def test_an_error_that_the_list_does_not_know_yet_is_told_afterwards(building_a: Lab, ana: User):
    building_a.pve.guest(101).ha = "started"
    building_a.sync()
    machine = building_a.assign(101, ana)
    building_a.pve.guest(101).ha = "error"
    operations.request(machine, "start", by=ana)
    run(building_a)
    trouble = card(machine).trouble
    assert "High availability has given up" in trouble
    assert "Try again" not in trouble
    assert Operation.objects.get().finished_at <= timezone.now()
