"""The rules are asked again when something is sent: what changed since the click counts."""

from typing import Any

import pytest

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, admit, run_operations
from vms import operations
from vms.access import rules
from vms.models import MachineSet, Operation, VirtualMachine

pytestmark = pytest.mark.django_db

State = Operation.State


@pytest.fixture
def machine(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's: 101, which is stopped."""
    return building_a.assign(101, ana)


@pytest.fixture
def looked_after(machine: VirtualMachine, ana: User) -> MachineSet:
    """Ana is manager of her machine, too."""
    group = MachineSet.objects.create(name="net")
    group.machines.add(machine)
    group.stewards.add(ana)
    return group


def ask(machine: VirtualMachine, by: User, action: str = "start", **words: str) -> Operation:
    operation = operations.request(machine, action, by=by, **words)[0]
    admit()
    return operation


def sent(operation: Operation) -> tuple[str, str]:
    run_operations()
    operation.refresh_from_db()
    return operation.state, operation.outcome


@pytest.mark.parametrize("action", ["snapshot", "delete-snapshot"])
def test_who_is_no_steward_any_more_changes_no_foreign_snapshot(
    looked_after: MachineSet, machine: VirtualMachine, building_a: Lab, ana: User, action: str
):
    operation = ask(machine, ana, action, snapshot="baseline")
    looked_after.stewards.clear()
    state, outcome = sent(operation)
    assert (state, building_a.pve.count()) == (State.CANCELLED, 0)
    assert "Ask your teacher about other snapshots" in outcome


def test_who_is_no_steward_any_more_still_saves_his_own(
    looked_after: MachineSet, machine: VirtualMachine, building_a: Lab, ana: User
):
    operation = ask(machine, ana, "snapshot", snapshot="my-save-point")
    looked_after.stewards.clear()
    assert (sent(operation)[0], building_a.pve.count("POST", "/snapshot$")) == (State.RUNNING, 1)


def test_a_steward_who_is_removed_while_the_cluster_is_asked_deletes_nothing(
    looked_after: MachineSet, machine: VirtualMachine, building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch
):
    VirtualMachine.objects.update(hardware_id="known")
    operation = ask(machine, ana, "delete-snapshot", snapshot="baseline")
    monkeypatch.setattr("vms.inventory.identity.is_another", lambda *_: looked_after.stewards.clear())
    assert (sent(operation)[0], building_a.pve.count("DELETE")) == (State.CANCELLED, 0)


@pytest.mark.parametrize(
    ("facts", "words"), [({"template": True}, "template"), ({"missing_since": "2026-01-01T00:00Z"}, "no longer lists")]
)
def test_a_machine_that_became_unfit_is_sent_nothing(
    machine: VirtualMachine, building_a: Lab, ana: User, facts: Any, words: str
):
    operation = ask(machine, ana)
    VirtualMachine.objects.update(**facts)
    state, outcome = sent(operation)
    assert (state, building_a.pve.count()) == (State.CANCELLED, 0)
    assert words in outcome


def test_an_added_rule_is_asked_again(
    machine: VirtualMachine, building_a: Lab, ana: User, monkeypatch: pytest.MonkeyPatch
):
    operation = ask(machine, ana)
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, lambda now, action: "The lesson is over."])
    assert (sent(operation), building_a.pve.count()) == ((State.CANCELLED, "The lesson is over."), 0)


@pytest.mark.parametrize("facts", [{"status": "running"}, {"lock": "backup"}, {"silent_since": "2026-01-01T00:00Z"}])
def test_what_the_portal_read_last_is_for_the_cluster_to_judge(
    machine: VirtualMachine, building_a: Lab, ana: User, facts: Any
):
    operation = ask(machine, ana)
    VirtualMachine.objects.update(**facts)
    assert (sent(operation)[0], building_a.commands()) == (State.RUNNING, 1)


def test_a_cluster_that_did_not_answer_lately_is_tried(machine: VirtualMachine, building_a: Lab, ana: User):
    operation = ask(machine, ana)
    ClusterHealth.objects.update(ok=False)
    assert (sent(operation)[0], building_a.commands()) == (State.RUNNING, 1)
