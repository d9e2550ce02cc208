"""One action for many machines: recorded together, done in turn, each with its own end."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster
from tests.labs import Lab, queries, run_operations
from tests.vms.machine_groups import many
from vms import operations
from vms.access.context import context_for, contexts_for
from vms.models import Batch, ClusterSync, MachineSet, Operation, Snapshot, VirtualMachine
from vms.operations.batches import MAX_PER_MINUTE

pytestmark = pytest.mark.django_db

State = Operation.State


def ask(group: MachineSet, by: User, action: str = "start", **words: Any) -> Batch:
    machines = group.machines.select_related("cluster__health").order_by("vmid")
    return operations.request_many(machines, action, by=by, machine_set=group, **words)


def told(batch: Batch) -> list[str]:
    """What became of each, in order: the state of its operation, or the refusal."""
    items = batch.items.select_related("operation").order_by("position")
    return [item.operation.state if item.operation else item.refusal for item in items]


def test_each_machine_gets_an_operation_or_a_reason(networks: MachineSet, manager: User):
    batch = ask(networks, manager)
    assert told(batch) == ["requested", "The machine is running, not stopped.", "requested", "requested"]
    assert set(Operation.objects.values_list("requested_by_name", "action")) == {("tess", "start")}


def test_asking_sends_nothing_and_a_worker_sends_all_that_may_be_under_way(
    networks: MachineSet, building_a: Lab, manager: User
):
    ask(networks, manager)
    assert building_a.pve.count() == 0
    run_operations()
    assert building_a.commands("/status/start$") == 3


def test_they_wait_for_the_limit_of_their_node(networks: MachineSet, building_a: Lab, manager: User):
    many(building_a, networks, 10)
    ask(networks, manager)
    ClusterSync.objects.update(node_limit=4)
    operations.admit("building-a")
    admitted = Operation.objects.exclude(admitted_at=None)
    assert sorted(admitted.values_list("vmid", "node")) == [
        (101, "pve1"), (103, "pve1"), (104, "pve2"), (1000, "pve1"), (1001, "pve1"),
    ]  # fmt: skip


def cost(group: MachineSet, by: User) -> int:
    """Queries of a batch, besides the rows that are written."""
    with queries() as seen:
        ask(group, by)
    Operation.objects.all().delete()
    return len([one for one in seen if "INSERT" not in one["sql"]])


def test_a_hundred_machines_cost_as_many_queries_as_four(networks: MachineSet, building_a: Lab, manager: User):
    few = cost(networks, manager)
    many(building_a, networks, 96)
    assert cost(networks, manager) == few <= 12


def test_what_is_done_already_counts_with_the_operation_that_does_it(
    networks: MachineSet, building_a: Lab, manager: User, ben: User
):
    first = operations.request(building_a.assign(101, ben), "start", by=ben)[0]
    batch = ask(networks, manager)
    assert batch.items.get(machine=first.vm).operation == first
    assert Operation.objects.count() == 3


def test_who_was_faster_has_the_machine(
    networks: MachineSet, building_a: Lab, manager: User, monkeypatch: pytest.MonkeyPatch
):
    create = Operation.objects.bulk_create

    def late(rows: Any, **options: Any) -> Any:
        operations.request(building_a.machine(101), "snapshot", by=manager, snapshot="mine")
        return create(rows, **options)

    monkeypatch.setattr(Operation.objects, "bulk_create", late)
    told_of = told(ask(networks, manager))
    assert (told_of[0], told_of[2:]) == ("The machine has just changed. Check it and try again.", ["requested"] * 2)


def test_a_batch_does_not_use_up_what_a_person_may_ask_for(networks: MachineSet, building_a: Lab, manager: User):
    many(building_a, networks, 40)
    ask(networks, manager)
    Operation.objects.filter(vmid=101).delete()
    assert operations.request(building_a.machine(101), "start", by=manager)[1]


def test_batches_have_a_limit_of_their_own(networks: MachineSet, manager: User, lab_admin: User):
    for _ in range(MAX_PER_MINUTE):
        ask(networks, manager)
    with pytest.raises(operations.Refused, match="too much within a minute"):
        ask(networks, manager)
    assert Batch.objects.count() == MAX_PER_MINUTE
    Batch.objects.update(requested_by=lab_admin)
    assert ask(networks, lab_admin)


@pytest.mark.parametrize(("action", "words"), [("reboot", "several machines"), ("delete-snapshot", "several machines")])
def test_what_is_not_for_many_is_refused(networks: MachineSet, manager: User, action: str, words: str):
    with pytest.raises(operations.Refused, match=words):
        ask(networks, manager, action, snapshot="base")


def test_no_machine_is_no_batch(networks: MachineSet, manager: User):
    with pytest.raises(operations.Refused, match="No machine is selected"):
        operations.request_many([], "start", by=manager)


# Who may


def test_a_machine_that_is_not_his_is_refused(networks: MachineSet, ben: User):
    assert {reason.split(".")[0] for reason in told(ask(networks, ben))} == {"You don't have access to this machine"}
    assert not Operation.objects.exists()


def test_who_is_no_steward_any_more_when_it_is_sent_starts_nothing(
    networks: MachineSet, building_a: Lab, manager: User
):
    batch = ask(networks, manager)
    operations.admit("building-a")
    networks.stewards.clear()
    run_operations()
    assert (told(batch)[0], building_a.commands()) == ("cancelled", 0)


# Snapshots


def test_machines_without_the_snapshot_are_refused_one_by_one(networks: MachineSet, building_a: Lab, manager: User):
    Snapshot.objects.create(vm=building_a.machine(101), name="baseline")
    no = "The machine has no snapshot “baseline”."
    assert told(ask(networks, manager, "rollback", snapshot="baseline")) == ["requested", no, no, no]


def test_a_name_that_a_machine_has_already_is_refused_for_it_alone(
    networks: MachineSet, building_a: Lab, manager: User
):
    Snapshot.objects.create(vm=building_a.machine(101), name="before")
    assert told(ask(networks, manager, "snapshot", snapshot="before", description="Exam"))[1:] == ["requested"] * 3
    assert set(Operation.objects.values_list("snapshot", "description")) == {("before", "Exam")}


# Taking back


def test_what_waits_is_taken_back_and_what_was_let_through_is_not(networks: MachineSet, manager: User):
    batch = ask(networks, manager)
    Operation.objects.filter(vmid=101).update(admitted_at=timezone.now())
    assert batch.cancel_waiting(by=manager) == 2
    assert told(batch)[0] == "requested"
    assert told(batch)[2:] == ["cancelled"] * 2


def test_what_somebody_else_had_asked_for_is_not_taken_back(
    networks: MachineSet, building_a: Lab, manager: User, ben: User
):
    operations.request(building_a.assign(101, ben), "start", by=ben)
    batch = ask(networks, manager)
    batch.cancel_waiting(by=manager)
    assert Operation.objects.open().get().requested_by == ben


# The rules


@pytest.mark.parametrize("who", ["manager", "ana", "ben", "lab_admin", "auditor"])
@pytest.mark.parametrize("restricted", [False, True])
def test_many_are_judged_as_each_would_be(
    networks: MachineSet, building_a: Lab, ana: User, request: pytest.FixtureRequest, who: str, *, restricted: bool
):
    person = request.getfixturevalue(who)
    operations.request(building_a.assign(101, ana), "start", by=ana)
    Cluster.objects.update(is_restricted=restricted)
    machines = list(VirtualMachine.objects.select_related("cluster__health"))
    together = contexts_for(machines, person=person, snapshot="base")
    assert together == {one.pk: context_for(one, person=person, snapshot="base") for one in machines}
