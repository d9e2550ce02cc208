"""What a card is made of, when a machine has a long past."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import post_init
from django.utils import timezone

from tests.labs import Lab, queries
from vms import cards
from vms.models import Operation, VirtualMachine

pytestmark = pytest.mark.django_db


def past(machine: VirtualMachine, *, count: int) -> list[Operation]:
    """The first is the oldest; they are a second apart, and all ended."""
    now = timezone.now()
    same = {"vm": machine, "cluster_id": machine.cluster_id, "vmid": machine.vmid, "action": "start"}
    done = {"state": Operation.State.FAILED, "admitted_at": now, "finished_at": now}
    times = [now - timedelta(seconds=count - number) for number in range(count)]
    made = [Operation(**same, **done, requested_at=at, outcome=f"{machine.vmid} at {at}") for at in times]
    return Operation.objects.bulk_create(made)


def shown(machines: list[VirtualMachine]) -> list[cards.Card]:
    [group] = cards.groups(machines, operable={machine.pk for machine in machines}, for_staff=True)
    return list(group.cards)


def test_a_long_past_costs_one_row_a_machine(building_a: Lab):
    machines = [building_a.machine(vmid) for vmid in (101, 102, 103, 104)]
    newest = [past(machine, count=1000)[-1].outcome for machine in machines[:3]]
    read: list[Any] = []
    note = lambda instance, **_: read.append(instance)  # noqa: E731
    post_init.connect(note, sender=Operation)
    try:
        found = shown(machines)
    finally:
        post_init.disconnect(note, sender=Operation)
    assert len(read) == 3
    assert [card.detail for card in found] == [*newest, ""]


def test_the_past_of_all_machines_is_one_query(building_a: Lab):
    machines = [building_a.machine(vmid) for vmid in (101, 102)]
    [past(machine, count=3) for machine in machines]
    with queries() as asked:
        shown(machines)
    assert len([q for q in asked if 'FROM "vms_operation"' in q["sql"]]) == 1


def test_what_is_older_than_an_hour_is_not_told(building_a: Lab):
    machine = building_a.machine(101)
    past(machine, count=1)
    Operation.objects.update(requested_at=timezone.now() - timedelta(minutes=61))
    assert [card.trouble for card in shown([machine])] == [""]
