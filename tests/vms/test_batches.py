"""One action for many machines: recorded together, done in turn, each with its own end."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, carry_out, queries
from vms import operations
from vms.models import Batch, ClusterSync, MachineSet, Operation, Snapshot, VirtualMachine
from vms.operations.many import MOST_IN_A_MINUTE

pytestmark = pytest.mark.django_db

State = Operation.State


@pytest.fixture
def networks(building_a: Lab, ana: User) -> MachineSet:
    """101, 103 and 104, which are stopped, and 102, which runs. Ana is the steward."""
    made = MachineSet.objects.create(name="Networks")
    made.machines.set(VirtualMachine.objects.all())
    made.stewards.add(ana)
    return made


def ask(group: MachineSet, by: User, action: str = "start", **words: Any) -> Batch:
    machines = group.machines.select_related("cluster__health").order_by("vmid")
    return operations.request_many(machines, action, by=by, machine_set=group, **words)


def told(batch: Batch) -> list[str]:
    """What became of each, in order: the state of its operation, or the refusal."""
    items = batch.items.select_related("operation").order_by("position")
    return [item.operation.state if item.operation else item.refusal for item in items]


def many(lab: Lab, group: MachineSet, count: int) -> None:
    """So many more machines, of which the cluster knows nothing."""
    rows = [
        VirtualMachine(cluster=lab.row, vmid=1000 + n, name=f"m-{n}", node="pve1", status="stopped")
        for n in range(count)
    ]
    group.machines.add(*VirtualMachine.objects.bulk_create(rows))


def test_each_machine_gets_an_operation_or_a_reason(networks: MachineSet, ana: User):
    batch = ask(networks, ana)
    assert told(batch) == ["requested", "The machine is running, not stopped.", "requested", "requested"]
    assert set(Operation.objects.values_list("requested_by_name", "action")) == {("ana", "start")}


def test_asking_sends_nothing_and_a_worker_sends_all_that_may_be_under_way(
    networks: MachineSet, building_a: Lab, ana: User
):
    ask(networks, ana)
    assert building_a.pve.count() == 0
    carry_out()
    assert building_a.commands("/status/start$") == 3


def test_they_wait_for_the_limit_of_their_node(networks: MachineSet, building_a: Lab, ana: User):
    many(building_a, networks, 10)
    ask(networks, ana)
    ClusterSync.objects.update(node_limit=4)
    operations.admit("building-a")
    admitted = Operation.objects.exclude(admitted_at=None)
    assert sorted(admitted.values_list("vmid", "node")) == [
        (101, "pve1"), (103, "pve1"), (104, "pve2"), (1000, "pve1"), (1001, "pve1"),
    ]  # fmt: skip


def test_a_hundred_machines_cost_as_many_queries_as_four(networks: MachineSet, building_a: Lab, ana: User):
    costs = []
    for _ in range(2):
        with queries() as seen:
            assert ask(networks, ana).items.exists()
        costs.append(len([one for one in seen if "INSERT" not in one["sql"]]))
        Operation.objects.all().delete()
        many(building_a, networks, 96 if not costs[1:] else 0)
    assert costs[0] == costs[1] <= 12


def test_what_is_done_already_counts_with_the_operation_that_does_it(
    networks: MachineSet, building_a: Lab, ana: User, ben: User
):
    first = operations.request(building_a.give(101, ben), "start", by=ben)[0]
    batch = ask(networks, ana)
    assert batch.items.get(machine=first.vm).operation == first
    assert Operation.objects.count() == 3


def test_who_was_faster_has_the_machine(
    networks: MachineSet, building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch
):
    create = Operation.objects.bulk_create

    def late(rows: Any, **options: Any) -> Any:
        operations.request(building_a.machine(101), "snapshot", by=ana, snapshot="mine")
        return create(rows, **options)

    monkeypatch.setattr(Operation.objects, "bulk_create", late)
    told_of = told(ask(networks, ana))
    assert (told_of[0], told_of[2:]) == ("The machine has just changed. Look at it again.", ["requested"] * 2)


def test_a_batch_does_not_use_up_what_a_person_may_ask_for(networks: MachineSet, building_a: Lab, ana: User):
    many(building_a, networks, 40)
    ask(networks, ana)
    Operation.objects.filter(vmid=101).delete()
    assert operations.request(building_a.machine(101), "start", by=ana)[1]


def test_batches_have_a_limit_of_their_own(networks: MachineSet, ana: User, lab_admin: User):
    for _ in range(MOST_IN_A_MINUTE):
        ask(networks, ana)
    with pytest.raises(operations.Refused, match="very much within a minute"):
        ask(networks, ana)
    assert Batch.objects.count() == MOST_IN_A_MINUTE
    Batch.objects.update(requested_by=lab_admin)
    assert ask(networks, lab_admin)


@pytest.mark.parametrize(("action", "words"), [("reboot", "many machines"), ("delete-snapshot", "many machines")])
def test_what_is_not_for_many_is_refused(networks: MachineSet, ana: User, action: str, words: str):
    with pytest.raises(operations.Refused, match=words):
        ask(networks, ana, action, snapshot="base")


def test_no_machine_is_no_batch(networks: MachineSet, ana: User):
    with pytest.raises(operations.Refused, match="No machine is chosen"):
        operations.request_many([], "start", by=ana)


# Who may


def test_a_machine_that_is_not_his_is_refused(networks: MachineSet, ben: User):
    assert {reason.split(",")[0] for reason in told(ask(networks, ben))} == {
        "This machine is not assigned to this account"
    }
    assert not Operation.objects.exists()


def test_who_is_no_steward_any_more_when_it_is_sent_starts_nothing(networks: MachineSet, building_a: Lab, ana: User):
    batch = ask(networks, ana)
    operations.admit("building-a")
    networks.stewards.clear()
    carry_out()
    assert (told(batch)[0], building_a.commands()) == ("cancelled", 0)


# Snapshots


def test_machines_without_the_snapshot_are_refused_one_by_one(networks: MachineSet, building_a: Lab, ana: User):
    Snapshot.objects.create(vm=building_a.machine(101), name="baseline")
    no = "It has no snapshot “baseline”."
    assert told(ask(networks, ana, "rollback", snapshot="baseline")) == ["requested", no, no, no]


def test_a_name_that_a_machine_has_already_is_refused_for_it_alone(networks: MachineSet, building_a: Lab, ana: User):
    Snapshot.objects.create(vm=building_a.machine(101), name="before")
    assert told(ask(networks, ana, "snapshot", snapshot="before", description="Exam"))[1:] == ["requested"] * 3
    assert set(Operation.objects.values_list("snapshot", "description")) == {("before", "Exam")}


# Taking back


def test_what_waits_is_taken_back_and_what_was_let_through_is_not(networks: MachineSet, ana: User):
    batch = ask(networks, ana)
    Operation.objects.filter(vmid=101).update(admitted_at=timezone.now())
    assert batch.cancel_waiting(by=ana) == 2
    assert told(batch)[0] == "requested"
    assert told(batch)[2:] == ["cancelled"] * 2


def test_what_somebody_else_had_asked_for_is_not_taken_back(
    networks: MachineSet, building_a: Lab, ana: User, ben: User
):
    operations.request(building_a.give(101, ben), "start", by=ben)
    batch = ask(networks, ana)
    batch.cancel_waiting(by=ana)
    assert Operation.objects.open().get().requested_by == ben
