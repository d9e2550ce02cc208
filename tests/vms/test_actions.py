"""Every action on machines and containers, and what a cluster may make of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, admit, ago, run_operations
from vms import operations
from vms.models import ClusterSync, Operation, VirtualMachine

pytestmark = pytest.mark.django_db

State = Operation.State


def ask(lab: Lab, vmid: int, action: str, by: User, **words: str) -> Operation:
    asked = operations.request(lab.machine(vmid), action, by=by, **words)[0]
    admit()
    return asked


def carried_out(lab: Lab, operation: Operation, *, seconds: float = 10) -> tuple[str, str]:
    run_operations()
    lab.clock.advance(seconds)
    run_operations()
    operation.refresh_from_db()
    return operation.state, operation.outcome


def put(lab: Lab, vmid: int, status: str) -> None:
    lab.pve.guest(vmid).status = status
    VirtualMachine.objects.filter(vmid=vmid).update(status=status)


POWER = [
    ("start", "stopped", "running"), ("shutdown", "running", "stopped"), ("stop", "running", "stopped"),
    ("reboot", "running", "running"), ("reset", "running", "running"), ("suspend", "running", "paused"),
    ("resume", "paused", "running"),
]  # fmt: skip


EVERYWHERE = {"start", "shutdown", "stop", "reboot"}
CASES = [(vmid, case[0], case[1:]) for vmid in (101, 103) for case in POWER if vmid == 101 or case[0] in EVERYWHERE]


@pytest.mark.parametrize(("vmid", "action", "way"), CASES)
def test_a_power_action_is_done(building_a: Lab, admin: User, vmid: int, action: str, way: tuple[str, str]):
    before, after = way
    put(building_a, vmid, before)
    assert carried_out(building_a, ask(building_a, vmid, action, admin)) == (State.DONE, "")
    assert (building_a.pve.guest(vmid).status, building_a.machine(vmid).status) == (after, after)


@pytest.mark.parametrize("action", ["reset", "suspend", "resume"])
def test_what_containers_cannot_do_is_refused(building_a: Lab, admin: User, action: str):
    put(building_a, 103, "running")
    with pytest.raises(operations.Refused, match="Containers don't support this"):
        ask(building_a, 103, action, admin)


@pytest.mark.parametrize("vmid", [101, 103], ids=["qemu", "lxc"])
def test_a_snapshot_is_saved_reverted_to_and_deleted(building_a: Lab, admin: User, vmid: int):
    for action in ("snapshot", "rollback", "delete-snapshot"):
        operation = ask(building_a, vmid, action, admin, snapshot="before-class")
        assert carried_out(building_a, operation) == (State.DONE, "")
        assert ("before-class" in building_a.pve.guest(vmid).snapshots) == (action != "delete-snapshot")


def test_a_snapshot_keeps_its_description(building_a: Lab, admin: User):
    carried_out(building_a, ask(building_a, 101, "snapshot", admin, snapshot="s1", description="All is well, für alle"))
    assert building_a.pve.guest(101).snapshots["s1"].description == "All is well, für alle"


@pytest.mark.parametrize("name", ["", "a", "1a", "a b", "ä1", "current", "pending", "x" * 41, "a/b", "a\n"])
def test_a_name_that_no_snapshot_can_have_is_refused(building_a: Lab, admin: User, name: str):
    with pytest.raises(operations.Refused, match="Choose a"):
        ask(building_a, 101, "snapshot", admin, snapshot=name)
    assert not Operation.objects.exists()


def test_a_description_that_is_too_long_is_refused(building_a: Lab, admin: User):
    with pytest.raises(operations.Refused, match="Shorten it"):
        ask(building_a, 101, "snapshot", admin, snapshot="s1", description="x" * 501)


def test_another_snapshot_meanwhile_is_not_the_same_request(building_a: Lab, admin: User):
    ask(building_a, 101, "snapshot", admin, snapshot="s1")
    with pytest.raises(operations.Refused, match="in progress"):
        ask(building_a, 101, "snapshot", admin, snapshot="s2")


def test_a_snapshot_that_is_there_fails_in_the_words_of_the_cluster(building_a: Lab, admin: User):
    carried_out(building_a, ask(building_a, 101, "snapshot", admin, snapshot="s1"))
    state, outcome = carried_out(building_a, ask(building_a, 101, "snapshot", admin, snapshot="s1"))
    assert state == State.FAILED
    assert "already used" in outcome


def test_what_changed_is_asked_for_soon(building_a: Lab, admin: User):
    VirtualMachine.objects.update(details_due_at=timezone.now() + timedelta(hours=5))
    carried_out(building_a, ask(building_a, 101, "start", admin))
    assert building_a.machine(101).details_due_at <= timezone.now()


# High availability


@pytest.mark.parametrize(
    ("action", "before", "after"), [("start", "stopped", "running"), ("stop", "running", "stopped")]
)
def test_what_is_asked_of_ha_is_done_when_the_machine_has_changed(
    building_a: Lab, admin: User, action: str, before: str, after: str
):
    put(building_a, 101, before)
    building_a.pve.guest(101).ha = "started"
    operation = ask(building_a, 101, action, admin)
    assert carried_out(building_a, operation, seconds=1)[0] == State.RUNNING
    assert f":ha{action}:" in operation.upid
    building_a.clock.advance(15)
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, building_a.machine(101).status) == (State.DONE, after)


def test_what_ha_never_does_is_unknown(building_a: Lab, admin: User):
    building_a.pve.guest(101).ha = "stopped"
    operation = ask(building_a, 101, "start", admin)
    carried_out(building_a, operation, seconds=1)
    Operation.objects.update(sent_at=ago(minutes=16))
    run_operations()
    operation.refresh_from_db()
    assert operation.state == State.UNKNOWN
    assert "but the machine is stopped" in operation.outcome


# Troubles


def test_warnings_are_told_and_no_failure(building_a: Lab, admin: User):
    operation = ask(building_a, 101, "start", admin)
    run_operations()
    operation.refresh_from_db()
    building_a.clock.advance(10)
    building_a.pve.faults.reply(
        f"/tasks/{operation.upid}/status$".replace("!", "."), body=warned(operation.upid), method="GET"
    )
    run_operations()
    operation.refresh_from_db()
    assert operation.state == State.DONE
    assert "with warnings" in operation.outcome


def warned(upid: str) -> str:
    return f'{{"data":{{"upid":"{upid}","status":"stopped","exitstatus":"WARNINGS: 2"}}}}'


def test_a_container_that_refuses_to_reboot_fails_at_once(building_a: Lab, admin: User):
    put(building_a, 103, "running")
    operation = ask(building_a, 103, "reboot", admin)
    building_a.pve.guest(103).status = "stopped"
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, operation.upid) == (State.FAILED, "")
    assert "not running" in operation.outcome


def test_a_machine_that_was_deleted_fails_and_is_looked_for(building_a: Lab, admin: User):
    ClusterSync.objects.update(due_at=timezone.now() + timedelta(minutes=1))
    operation = ask(building_a, 101, "start", admin)
    building_a.pve.remove_guest(101)
    run_operations()
    operation.refresh_from_db()
    assert operation.state == State.FAILED
    assert "it was deleted" in operation.outcome
    assert ClusterSync.objects.get().due_at <= timezone.now()


def test_a_node_that_dies_meanwhile_is_waited_for(building_a: Lab, admin: User):
    operation = ask(building_a, 104, "start", admin)
    run_operations()
    building_a.pve.stop_node("pve2")
    assert carried_out(building_a, operation)[0] == State.RUNNING
    building_a.pve.start_node("pve2")
    assert carried_out(building_a, operation)[0] == State.DONE


def test_a_node_that_stays_dead_leaves_the_outcome_unknown(building_a: Lab, admin: User):
    operation = ask(building_a, 104, "start", admin)
    run_operations()
    building_a.pve.stop_node("pve2")
    Operation.objects.update(sent_at=ago(minutes=16))
    state, outcome = carried_out(building_a, operation)
    assert state == State.UNKNOWN
    assert "cannot be reached" in outcome


def test_a_machine_that_is_gone_is_sent_nothing(building_a: Lab, admin: User):
    operation = ask(building_a, 101, "start", admin)
    VirtualMachine.objects.filter(vmid=101).update(gone_at=timezone.now())
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, building_a.commands()) == (State.CANCELLED, 0)


# The answer is lost, and the cluster's list of tasks tells


def lost(lab: Lab, by: User, *, executed: bool = True) -> Operation:
    """A start whose answer never came."""
    lab.clock.advance(max(0.0, timezone.now().timestamp() - lab.clock.now()))
    lab.pve.faults.reset("/status/", method="POST", executed=executed, times=1)
    operation = ask(lab, 101, "start", by)
    run_operations()
    operation.refresh_from_db()
    assert operation.state == State.SENT
    return operation


def test_the_task_of_a_lost_answer_is_found_and_followed(building_a: Lab, admin: User):
    operation = lost(building_a, admin)
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, operation.upid.split(":")[5]) == (State.RUNNING, "qmstart")
    assert carried_out(building_a, operation)[0] == State.DONE
    assert building_a.commands() == 1


def test_a_task_of_another_operation_is_not_taken_for_its_own(building_a: Lab, admin: User):
    earlier = ask(building_a, 101, "start", admin)
    carried_out(building_a, earlier)
    put(building_a, 101, "stopped")
    operation = lost(building_a, admin, executed=False)
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, operation.upid) == (State.SENT, "")


def test_a_task_of_another_time_is_not_taken_for_its_own(building_a: Lab, admin: User, monkeypatch: Any):
    operation = lost(building_a, admin)
    monkeypatch.setattr("vms.operations.following.CLOCK_SKEW", timedelta(days=-1))
    run_operations()
    operation.refresh_from_db()
    assert operation.upid == ""


def test_a_task_of_another_account_is_not_taken_for_its_own(building_a: Lab, admin: User):
    operation = lost(building_a, admin)
    building_a.row.refresh_from_db()
    token = building_a.pve.add_token("portal@pve", "other", privsep=False)
    building_a.row.token_id, building_a.row.token_secret = token.full_id, token.secret
    building_a.row.save()
    run_operations()
    operation.refresh_from_db()
    assert operation.upid == ""


def test_a_saved_snapshot_shows_that_a_lost_request_arrived(building_a: Lab, admin: User):
    building_a.clock.advance(max(0.0, timezone.now().timestamp() - building_a.clock.now()))
    building_a.pve.faults.reset("/snapshot$", method="POST", executed=True, times=1)
    operation = ask(building_a, 101, "snapshot", admin, snapshot="s1")
    run_operations()
    building_a.clock.advance(5)
    building_a.pve.faults.reply("/nodes/pve1/tasks$", body='{"data":[]}', method="GET")
    run_operations()
    operation.refresh_from_db()
    assert operation.state == State.DONE
    assert "state shows" in operation.outcome


# Held up between claim and sending


def test_who_was_held_up_before_the_call_sends_nothing(building_a: Lab, admin: User, monkeypatch: Any):
    operation = ask(building_a, 101, "start", admin)
    monkeypatch.setattr(Operation, "is_leased_for", lambda self, seconds: False)
    run_operations()
    operation.refresh_from_db()
    assert (operation.state, building_a.commands()) == (State.FAILED, 0)
    assert "sent nothing" in operation.outcome


def test_the_lease_is_over_by_a_clock_that_goes_on_while_a_process_is_stopped(
    building_a: Lab, admin: User, monkeypatch: Any
):
    operation = ask(building_a, 101, "start", admin)
    assert operation.claim(timezone.now())
    assert operation.is_leased_for(12)
    monkeypatch.setattr("vms.models.operations.time.monotonic", lambda: 1e12)
    assert not operation.is_leased_for(0)


# Waiting


def waiting_three(lab: Lab, by: User, settings: Any) -> list[Operation]:
    settings.OPERATIONS_PER_CLUSTER = 1
    return [operations.request(lab.machine(vmid), "start", by=by)[0] for vmid in (101, 103, 104)]


def test_each_waits_for_those_of_its_node(building_a: Lab, admin: User, settings: Any):
    asked = waiting_three(building_a, admin, settings)
    assert [operations.queue_position(one) for one in asked] == [0, 1, 0]


def test_no_more_than_the_limit_are_let_through(building_a: Lab, admin: User, settings: Any):
    waiting_three(building_a, admin, settings)
    admit()
    run_operations()
    assert (Operation.objects.under_way().count(), building_a.commands()) == (1, 1)


def test_what_waits_can_be_taken_back(building_a: Lab, admin: User, settings: Any):
    asked = waiting_three(building_a, admin, settings)
    assert operations.cancel(asked[2], by=admin)
    assert (asked[2].state, asked[2].outcome) == (State.CANCELLED, "Cancelled by admin while waiting.")


def test_what_was_let_through_cannot_be_taken_back(building_a: Lab, admin: User):
    assert not operations.cancel(ask(building_a, 101, "start", admin), by=admin)


def test_who_waits_for_half_an_hour_is_dropped(building_a: Lab, admin: User, settings: Any):
    asked = waiting_three(building_a, admin, settings)
    Operation.objects.filter(pk=asked[0].pk).update(requested_at=ago(minutes=31))
    admit()
    asked[0].refresh_from_db()
    assert asked[0].state == State.CANCELLED
    assert "waited too long" in asked[0].outcome
