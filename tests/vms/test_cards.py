"""What a card is made of, when a machine has a long past."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import post_init
from django.utils import timezone

from tests.labs import Lab, queries
from vms.models import Operation, VirtualMachine
from vms.pages import cards

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


def seen(lab: Lab, **facts: Any) -> cards.Card:
    """The card of a machine about which these facts are known."""
    VirtualMachine.objects.filter(vmid=102, cluster=lab.row).update(**facts)
    machine = VirtualMachine.objects.select_related("cluster__health", "cluster__sync").get(vmid=102, cluster=lab.row)
    return shown([machine])[0]


def test_what_ends_a_running_machine_at_once_is_behind_more(building_a: Lab):
    card = seen(building_a, status="running")
    assert "stop" not in [button.action for button in card.buttons]
    assert "stop" in [button.action for button in card.more]


def test_what_ends_a_paused_machine_is_beside_resume(building_a: Lab):
    assert [button.action for button in seen(building_a, status="paused").buttons] == ["resume", "stop"]


def test_a_missing_machine_does_not_shine_like_one_that_runs(building_a: Lab):
    assert seen(building_a, status="running").tone == "running"
    card = seen(building_a, status="running", missing_since=timezone.now())
    assert (card.tone, card.status) == ("unknown", "Not found on the cluster")


@pytest.mark.parametrize(("lock", "words"), [("backup", "Busy: being backed up"), ("odd", "Busy: odd"), ("", "")])
def test_a_lock_is_told_beside_the_status(building_a: Lab, lock: str, words: str):
    card = seen(building_a, lock=lock)
    assert (card.status, card.lock) == ("Running", words)


def test_who_shuts_down_waits_for_no_address(building_a: Lab):
    assert seen(building_a, status="running", addresses=[]).address_note
    Operation.objects.create(
        vm=building_a.machine(102), cluster_id="building-a", vmid=102, action="shutdown", requested_by_name="ana"
    )
    assert seen(building_a).address_note == ""
