"""An action from the click to its end: recorded, sent once, followed, settled."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, admit, ago, run_operations
from vms import inventory, operations
from vms.models import Assignment, Operation, VirtualMachine

pytestmark = pytest.mark.django_db

State = Operation.State
START = "/101/status/start$"


@pytest.fixture
def machine(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's: 101, which is stopped."""
    return building_a.assign(101, ana)


@pytest.fixture
def running(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's: 102, which runs."""
    return building_a.assign(102, ana)


def ask(machine: VirtualMachine, action: str, by: User) -> Operation:
    asked = operations.request(machine, action, by=by)[0]
    admit()
    return asked


def settled(operation: Operation) -> tuple[str, str]:
    operation.refresh_from_db()
    return operation.state, operation.outcome


def shift(operation: Operation, **times: Any) -> None:
    Operation.objects.filter(pk=operation.pk).update(**times)


# Asking


def test_a_request_is_recorded_with_who_and_what(machine: VirtualMachine, ana: User):
    ask(machine, "start", ana)
    found = Operation.objects.get()
    assert (found.state, found.action, found.vm, found.requested_by) == ("requested", "start", machine, ana)
    assert (found.cluster_id, found.vmid, found.vm_name, found.requested_by_name) == (
        "building-a",
        101,
        "net-01",
        "ana",
    )


def test_asking_sends_nothing(machine: VirtualMachine, building_a: Lab, ana: User):
    ask(machine, "start", ana)
    assert building_a.pve.count() == 0


def test_the_same_request_again_is_the_first_one(machine: VirtualMachine, building_a: Lab, ana: User):
    first, new = operations.request(machine, "start", by=ana)
    second, again = operations.request(machine, "start", by=ana)
    assert (first, new, again) == (second, True, False)
    run_operations()
    assert building_a.commands() == 1


def test_the_same_request_while_it_is_carried_out_is_the_first_one(machine: VirtualMachine, building_a: Lab, ana: User):
    first = ask(machine, "start", ana)
    run_operations()
    assert ask(machine, "start", ana) == first
    run_operations()
    assert building_a.commands() == 1


def test_another_action_meanwhile_is_refused(running: VirtualMachine, ana: User):
    ask(running, "shutdown", ana)
    with pytest.raises(operations.Refused, match="“Shut down” is in progress"):
        ask(running, "stop", ana)
    assert Operation.objects.count() == 1


def test_an_action_that_does_not_fit_is_refused_and_not_recorded(running: VirtualMachine, ana: User):
    with pytest.raises(operations.Refused, match="running, not stopped"):
        ask(running, "start", ana)
    assert not Operation.objects.exists()


def test_after_the_end_the_same_may_be_asked_again(machine: VirtualMachine, building_a: Lab, ana: User):
    first = ask(machine, "start", ana)
    first.finish(State.FAILED, "", expected=State.REQUESTED)
    assert ask(machine, "start", ana) != first


# Sending and following


@pytest.mark.parametrize(
    ("action", "vmid", "status"),
    [("start", 101, "running"), ("start", 103, "running"), ("shutdown", 102, "stopped"), ("stop", 102, "stopped")],
)
def test_an_action_is_done(building_a: Lab, admin: User, action: str, vmid: int, status: str):
    operation = ask(building_a.machine(vmid), action, admin)
    run_operations()
    building_a.clock.advance(5)
    run_operations()
    assert settled(operation) == (State.DONE, "")
    assert (building_a.pve.guest(vmid).status, building_a.machine(vmid).status) == (status, status)


def test_while_the_task_runs_the_operation_does(machine: VirtualMachine, ana: User):
    operation = ask(machine, "start", ana)
    run_operations()
    run_operations()
    assert settled(operation) == (State.RUNNING, "")
    assert operation.upid.startswith("UPID:pve1:")


def test_an_action_is_sent_once_however_often_it_is_followed(machine: VirtualMachine, building_a: Lab, ana: User):
    ask(machine, "start", ana)
    for _ in range(5):
        run_operations()
    building_a.clock.advance(5)
    run_operations()
    assert building_a.commands() == building_a.commands(START) == 1


def test_an_action_reaches_only_the_cluster_of_the_machine(
    machine: VirtualMachine, building_a: Lab, building_b: Lab, ana: User
):
    ask(machine, "start", ana)
    run_operations()
    building_a.clock.advance(5)
    run_operations()
    assert (building_a.commands(), building_b.pve.count()) == (1, 0)
    assert building_b.pve.guest(101).status == "stopped"


def test_a_task_that_fails_fails_the_operation_in_its_words(machine: VirtualMachine, building_a: Lab, ana: User):
    building_a.pve.guest(101).lock = "backup"
    operation = ask(machine, "start", ana)
    run_operations()
    run_operations()
    assert settled(operation)[0] == State.FAILED
    assert "locked by an operation in progress (VM is locked (backup))" in operation.outcome


def test_what_the_cluster_refuses_failed_in_its_words(machine: VirtualMachine, building_a: Lab, ana: User):
    building_a.pve.faults.reply(START, status=500, reason="cluster not ready - no quorum?")
    operation = ask(machine, "start", ana)
    run_operations()
    assert settled(operation)[0] == State.FAILED
    assert "no quorum" in operation.outcome


def test_a_reboot_is_done_when_the_machine_runs_again(running: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(running, "reboot", ana)
    run_operations()
    building_a.clock.advance(3.5)
    run_operations()
    assert (building_a.pve.guest(102).status, settled(operation)[0]) == ("stopped", State.RUNNING)
    building_a.clock.advance(5)
    run_operations()
    assert settled(operation)[0] == State.DONE


def test_a_failure_without_sending_is_one(machine: VirtualMachine, building_a: Lab, ana: User):
    building_a.pve.stop()
    operation = ask(machine, "start", ana)
    run_operations()
    assert settled(operation)[0] == State.FAILED
    assert "refuses connections" in operation.outcome


def test_what_failed_without_sending_is_not_tried_again(machine: VirtualMachine, building_a: Lab, ana: User):
    building_a.pve.stop()
    ask(machine, "start", ana)
    run_operations()
    building_a.pve.start()
    run_operations()
    assert building_a.pve.count() == 0


# The answer, the task or the worker is lost


def lose_the_answer(lab: Lab, *, executed: bool) -> None:
    lab.pve.faults.reset("/status/", method="POST", executed=executed)


def test_a_lost_answer_is_settled_by_looking(machine: VirtualMachine, building_a: Lab, ana: User):
    lose_the_answer(building_a, executed=True)
    operation = ask(machine, "start", ana)
    run_operations()
    assert settled(operation)[0] == State.SENT
    building_a.clock.advance(5)
    run_operations()
    run_operations()
    assert settled(operation)[0] == State.DONE
    assert building_a.commands() == 1


def test_what_never_arrived_is_unknown_after_a_minute(machine: VirtualMachine, building_a: Lab, ana: User):
    lose_the_answer(building_a, executed=False)
    operation = ask(machine, "start", ana)
    run_operations()
    run_operations()
    assert settled(operation)[0] == State.SENT
    shift(operation, sent_at=timezone.now() - operations.SETTLE_WITHIN)
    run_operations()
    assert settled(operation)[0] == State.UNKNOWN
    assert "Check the machine before you try again" in operation.outcome


def test_what_never_arrived_is_not_sent_again(machine: VirtualMachine, building_a: Lab, ana: User):
    lose_the_answer(building_a, executed=False)
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.pve.faults.clear()
    shift(operation, sent_at=timezone.now() - operations.SETTLE_WITHIN)
    run_operations()
    assert building_a.commands() == 1
    assert building_a.pve.guest(101).status == "stopped"


def test_a_timeout_is_not_sent_again(machine: VirtualMachine, building_a: Lab, ana: User, impatient: None):
    building_a.pve.faults.hang(START, executed=True)
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.clock.advance(5)
    run_operations()
    run_operations()
    assert (settled(operation)[0], building_a.commands()) == (State.DONE, 1)


def test_an_answer_without_a_task_is_settled_by_looking(machine: VirtualMachine, building_a: Lab, ana: User):
    building_a.pve.faults.reply(START, body='{"data":null}', executed=True)
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.clock.advance(5)
    run_operations()
    run_operations()
    assert (settled(operation)[0], building_a.commands()) == (State.DONE, 1)


def test_a_reboot_that_never_arrived_is_unknown(running: VirtualMachine, building_a: Lab, ana: User):
    lose_the_answer(building_a, executed=False)
    operation = ask(running, "reboot", ana)
    run_operations()
    shift(operation, sent_at=timezone.now() - operations.SETTLE_WITHIN)
    run_operations()
    assert (settled(operation)[0], building_a.commands()) == (State.UNKNOWN, 1)


@pytest.mark.parametrize("state", [State.SENT, State.RUNNING])
def test_who_takes_over_from_a_dead_worker_does_not_send(
    machine: VirtualMachine, building_a: Lab, ana: User, state: str
):
    operation = ask(machine, "start", ana)
    upid = "UPID:pve1:0003A1F2:01B2C3D4:69223A10:qmstart:101:portal@pve!labs:" if state == State.RUNNING else ""
    shift(operation, state=state, upid=upid, sent_at=ago(minutes=2), leased_until=ago(minutes=1), attempt=1)
    run_operations()
    assert settled(operation)[0] == State.UNKNOWN
    assert building_a.commands() == 0


def test_a_task_that_the_cluster_has_forgotten_is_settled_by_looking(
    machine: VirtualMachine, building_a: Lab, ana: User
):
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.clock.advance(5)
    building_a.pve.tasks.forget(Operation.objects.get().upid)
    run_operations()
    assert settled(operation)[0] == State.DONE
    assert "no longer knows the task" in operation.outcome


def test_a_cluster_that_is_silent_meanwhile_leaves_the_operation_open(
    machine: VirtualMachine, building_a: Lab, ana: User
):
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.pve.stop()
    run_operations()
    assert settled(operation) == (State.RUNNING, "")


def test_what_finds_no_end_is_unknown(machine: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(machine, "start", ana)
    run_operations()
    shift(operation, sent_at=timezone.now() - operations.KINDS[operation.action].timeout)
    run_operations()
    assert settled(operation)[0] == State.UNKNOWN
    assert "still running" in operation.outcome


def test_what_nobody_can_ask_for_is_unknown_in_the_end(machine: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.pve.stop()
    shift(operation, sent_at=timezone.now() - operations.KINDS[operation.action].timeout)
    run_operations()
    assert settled(operation)[0] == State.UNKNOWN
    assert "refuses connections" in operation.outcome


def test_a_reboot_after_which_the_machine_stays_off_is_unknown(running: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(running, "reboot", ana)
    run_operations()
    building_a.clock.advance(3.5)
    shift(operation, sent_at=timezone.now() - operations.KINDS[operation.action].timeout)
    run_operations()
    assert settled(operation)[0] == State.UNKNOWN
    assert "the machine is stopped" in operation.outcome


# What changed between the click and the sending


def end_the_assignment(operation: Operation) -> None:
    Assignment.objects.all().end()


def disable_the_person(operation: Operation) -> None:
    User.objects.filter(pk=operation.requested_by_id).update(is_active=False)


def delete_the_person(operation: Operation) -> None:
    Assignment.objects.update(ended_at=timezone.now(), released_at=timezone.now())
    User.objects.get(pk=operation.requested_by_id).delete()


def wait_too_long(operation: Operation) -> None:
    shift(operation, admitted_at=timezone.now() - operations.SEND_WITHIN)


def switch_the_cluster_off(operation: Operation) -> None:
    operation.vm.cluster.deactivate()


CHANGES = {
    end_the_assignment: "unassigned before",
    disable_the_person: "unassigned before",
    delete_the_person: "unassigned before",
    wait_too_long: "could not send it in time",
    switch_the_cluster_off: "deactivated",
}


@pytest.mark.parametrize(("change", "why"), CHANGES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_may_not_be_sent_any_more_is_cancelled(
    machine: VirtualMachine, building_a: Lab, ana: User, change: Any, why: str
):
    operation = ask(machine, "start", ana)
    change(operation)
    run_operations()
    assert settled(operation)[0] == State.CANCELLED
    assert why in operation.outcome
    assert building_a.pve.count() == 0


def test_staff_who_lost_the_right_send_nothing(building_a: Lab, lab_admin: User):
    operation = ask(building_a.machine(101), "start", lab_admin)
    lab_admin.groups.clear()
    run_operations()
    assert (settled(operation)[0], building_a.pve.count()) == (State.CANCELLED, 0)


def test_an_action_of_which_a_cluster_heard_before_it_was_switched_off_is_unknown(
    machine: VirtualMachine, building_a: Lab, ana: User
):
    operation = ask(machine, "start", ana)
    run_operations()
    building_a.row.deactivate()
    building_a.pve.clear_requests()
    run_operations()
    assert (settled(operation)[0], building_a.pve.count()) == (State.UNKNOWN, 0)


def test_an_operation_outlives_its_machine(machine: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(machine, "start", ana)
    Assignment.objects.all().end()
    Assignment.objects.update(released_at=timezone.now())
    building_a.row.delete()
    run_operations()
    assert settled(operation)[0] == State.CANCELLED
    assert (operation.vm, operation.cluster_id, operation.vmid) == (None, "building-a", 101)


def test_a_machine_that_moved_is_commanded_on_its_new_node(machine: VirtualMachine, building_a: Lab, ana: User):
    ask(machine, "start", ana)
    building_a.pve.guest(101).node = "pve2"
    building_a.sync()
    run_operations()
    assert building_a.commands("^/nodes/pve2/qemu/101/status/start$") == 1


# Leases of an operation


@pytest.fixture
def operation(machine: VirtualMachine, ana: User) -> Operation:
    return ask(machine, "start", ana)


def same(operation: Operation) -> Operation:
    return Operation.objects.get(pk=operation.pk)


def test_one_worker_holds_an_operation(operation: Operation):
    assert operation.claim(timezone.now())
    assert not same(operation).claim(timezone.now())


def test_what_one_worker_holds_another_does_not_touch(operation: Operation, building_a: Lab):
    operation.claim(timezone.now())
    operations.take_step(same(operation))
    assert (same(operation).state, building_a.pve.count()) == (State.REQUESTED, 0)


def test_a_released_operation_can_be_held_by_another(operation: Operation):
    operation.claim(timezone.now())
    operation.release_lease()
    assert same(operation).claim(timezone.now())


def test_a_lease_that_is_over_can_be_taken(operation: Operation):
    operation.claim(ago(minutes=2))
    assert same(operation).claim(timezone.now())


def test_an_operation_that_ended_cannot_be_held(operation: Operation):
    operation.finish(State.DONE, "", expected=State.REQUESTED)
    assert not same(operation).claim(timezone.now())


@pytest.fixture
def overtaken(operation: Operation) -> Operation:
    """As a worker knows it whose lease ran out and was taken by another."""
    operation.claim(ago(minutes=2))
    assert same(operation).claim(timezone.now())
    return operation


def test_who_was_overtaken_cannot_go_on(overtaken: Operation):
    assert not overtaken.advance(State.SENT, expected=State.REQUESTED)
    assert same(overtaken).state == State.REQUESTED


def test_who_was_overtaken_cannot_end_it(overtaken: Operation):
    assert not overtaken.finish(State.FAILED, "late", expected=State.REQUESTED)
    assert (same(overtaken).state, same(overtaken).outcome) == (State.REQUESTED, "")


def test_who_was_overtaken_cannot_release_it(overtaken: Operation):
    overtaken.release_lease()
    assert not same(overtaken).claim(timezone.now())


def test_who_was_overtaken_sends_nothing(overtaken: Operation, building_a: Lab):
    operations.STEPS[State.REQUESTED](overtaken, building_a.config)
    assert building_a.pve.count() == 0


def test_a_step_is_taken_from_the_expected_state_alone(operation: Operation):
    operation.claim(timezone.now())
    assert not operation.advance(State.RUNNING, expected=State.SENT)
    assert same(operation).state == State.REQUESTED


def test_the_reason_of_a_cluster_is_cut_to_what_the_row_holds(operation: Operation):
    operation.claim(timezone.now())
    operation.finish(State.FAILED, "x" * 900, expected=State.REQUESTED)
    assert len(same(operation).outcome) == 500


def test_a_cluster_that_fails_refuses_new_requests(machine: VirtualMachine, ana: User):
    ClusterHealth.failed("building-a", "down")
    with pytest.raises(operations.Refused, match="is not responding"):
        ask(machine, "start", ana)


def test_the_lock_of_a_revert_goes_with_the_end_of_its_task(building_a: Lab, lab_admin: User):
    machine = building_a.machine(101)
    for action in ("snapshot", "rollback"):
        operations.request(machine, action, by=lab_admin, snapshot="base")
        run_operations()
        VirtualMachine.objects.filter(pk=machine.pk).update(lock="rollback")  # as the list said meanwhile
        building_a.clock.advance(30)
        while Operation.objects.open().exists():
            run_operations()
        machine = building_a.machine(101)
        assert machine.lock == ""


def test_an_old_list_does_not_bring_the_lock_back(building_a: Lab):
    building_a.machine(101).observe("stopped", at=timezone.now(), lock="")
    building_a.pve.guest(101).lock = "rollback"
    building_a.sync()
    assert building_a.machine(101).lock == ""
    building_a.machine(101).observe("stopped", at=timezone.now() - 2 * inventory.LIST_LAG)
    building_a.sync()
    assert building_a.machine(101).lock == "rollback"
