"""Machines that are neither running nor stopped: QEMU's own states, as the cluster lists them."""

import pytest

from accounts.models import User
from tests.labs import Lab, run_operations
from vms import operations
from vms.access import rules
from vms.access.context import context_for
from vms.models import ConsoleGrant, Mode, Operation, VirtualMachine
from vms.pages import cards

pytestmark = pytest.mark.django_db

# State: the words, and what the card offers.
OFFERED = {
    "paused": ("Paused", ["resume", "stop"]),
    "io-error": ("Stopped by a disk error", ["resume", "stop"]),
    "suspended": ("Asleep", ["resume", "stop"]),
    "guest-panicked": ("Crashed", ["reset", "stop"]),
    "internal-error": ("Crashed", ["reset", "stop"]),
    "watchdog": ("Stopped by its watchdog", ["resume", "reset", "stop"]),
    "prelaunch": ("Paused", ["resume", "stop"]),
    "postmigrate": ("Paused", ["resume", "stop"]),
    "shutdown": ("Turned off, not ended yet", ["resume", "stop"]),
    "save-vm": ("Being saved", ["stop"]),
    "inmigrate": ("Being moved to another node", ["stop"]),
}


def found(lab: Lab, state: str, ana: User) -> VirtualMachine:
    lab.pve.guest(102).status = state  # type: ignore[assignment]
    lab.sync()
    return lab.assign(102, ana)


def card(machine: VirtualMachine) -> cards.Card:
    return cards.groups([machine], operable={machine.pk}, for_staff=False)[0].cards[0]


def refusal(machine: VirtualMachine, action: str, ana: User) -> str | None:
    return rules.refusal(context_for(machine, person=ana), action)


@pytest.mark.parametrize("state", OFFERED)
def test_the_card_says_it_in_words_and_offers_what_helps(building_a: Lab, ana: User, state: str):
    shown = card(found(building_a, state, ana))
    assert (shown.status, [one.action for one in shown.buttons], shown.more) == (*OFFERED[state], ())


@pytest.mark.parametrize("state", OFFERED)
def test_what_has_a_process_has_a_console(building_a: Lab, ana: User, state: str):
    machine = found(building_a, state, ana)
    assert card(machine).may_open
    grant = ConsoleGrant.issue(machine, user=ana, session_key="s", mode=Mode.CONTROL)
    assert grant
    assert refusal(machine, "console", ana) is None


def test_a_state_that_nobody_knows_is_unknown_in_words(building_a: Lab, ana: User):
    machine = found(building_a, "levitating", ana)
    shown = card(machine)
    assert (shown.status, shown.tone, shown.may_open) == ("Unknown", "unknown", True)
    assert refusal(machine, "reboot", ana) == "The machine is unknown, not running."


def test_a_machine_that_is_backed_up_while_it_is_off_is_busy(building_a: Lab, ana: User):
    building_a.pve.guest(102).lock = "backup"
    machine = found(building_a, "prelaunch", ana)
    shown = card(machine)
    assert (shown.status, shown.lock, shown.buttons) == ("Stopped", "Busy: being backed up", ())
    assert refusal(machine, "resume", ana) == "The machine is being backed up. This usually takes a few minutes."


def run(lab: Lab, machine: VirtualMachine, action: str, ana: User) -> list[tuple[str, str]]:
    operations.request(machine, action, by=ana)
    for _ in range(6):
        run_operations()
        lab.clock.advance(2)
    return list(Operation.objects.order_by("requested_at").values_list("action", "state"))


@pytest.mark.parametrize("state", ["io-error", "suspended", "paused"])
def test_resume_lets_it_go_on(building_a: Lab, ana: User, state: str):
    assert run(building_a, found(building_a, state, ana), "resume", ana) == [("resume", "done")]
    assert building_a.machine(102).status == "running"


@pytest.mark.parametrize("state", ["guest-panicked", "internal-error"])
def test_after_a_crash_a_reset_ends_with_a_running_machine(building_a: Lab, ana: User, state: str):
    done = run(building_a, found(building_a, state, ana), "reset", ana)
    assert done == [("reset", "done"), ("resume", "done")]
    assert building_a.machine(102).status == "running"


def test_a_running_machine_is_reset_by_itself(building_a: Lab, ana: User):
    assert run(building_a, found(building_a, "running", ana), "reset", ana) == [("reset", "done")]


def test_an_operation_that_looks_at_the_machine_sees_its_own_state(building_a: Lab, ana: User):
    machine = found(building_a, "running", ana)
    building_a.pve.faults.tasks_fail("qmreboot", "got timeout")
    operations.request(machine, "reboot", by=ana)
    run_operations()
    building_a.pve.guest(102).status = "io-error"
    building_a.clock.advance(10)
    run_operations()
    assert building_a.machine(102).status == "io-error"


@pytest.mark.parametrize(("state", "words"), [("io-error", "stopped by a disk error"), ("guest-panicked", "crashed")])
def test_a_refusal_says_the_state_in_words(building_a: Lab, ana: User, state: str, words: str):
    assert refusal(found(building_a, state, ana), "reboot", ana) == f"The machine is {words}, not running."


def test_the_summary_counts_machines_that_an_error_stopped(building_a: Lab, ana: User):
    assert cards.summary([card(found(building_a, "io-error", ana))]) == "1 stopped by an error"
