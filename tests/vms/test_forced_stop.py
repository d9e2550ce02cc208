"""A shutdown that takes too long can be cut short by a forced stop."""

import pytest
from django.test import Client

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab, ago, run_operations
from vms import operations
from vms.models import Operation, VirtualMachine

pytestmark = pytest.mark.django_db

Action, State = Operation.Action, Operation.State


@pytest.fixture
def deaf(building_a: Lab, ana: User) -> VirtualMachine:
    """A running machine that does not hear that it is to shut down, and was told so."""
    building_a.pve.guest(101).acpi = False
    machine = building_a.assign(101, ana)
    operations.request(machine, Action.START, by=ana)
    for _ in range(3):
        run_operations()
        building_a.clock.advance(10)
    building_a.sync()
    ClusterHealth.objects.filter(cluster=building_a.row).update(version="8.4.1")
    operations.request(building_a.machine(101), Action.SHUTDOWN, by=ana)
    run_operations()
    assert Operation.objects.open().get().state == State.RUNNING
    return building_a.machine(101)


def wait_a_minute() -> None:
    Operation.objects.open().update(sent_at=ago(seconds=61))


def test_it_is_not_offered_in_the_first_minute(client: Client, ana: User, deaf: VirtualMachine) -> None:
    client.force_login(ana)
    assert "Force stop" not in client.get("/vms/?cluster=").content.decode()
    with pytest.raises(operations.Refused, match="in progress"):
        operations.request(deaf, Action.STOP, by=ana)


def test_it_is_offered_after_a_minute(client: Client, ana: User, deaf: VirtualMachine) -> None:
    wait_a_minute()
    client.force_login(ana)
    assert "Force stop" in client.get("/vms/?cluster=").content.decode()


def test_it_ends_the_shutdown_and_the_machine(building_a: Lab, ana: User, deaf: VirtualMachine) -> None:
    wait_a_minute()
    operations.request(deaf, Action.STOP, by=ana)
    for _ in range(3):
        run_operations()
        building_a.clock.advance(10)
    ends = dict(Operation.objects.exclude(action=Action.START).values_list("action", "state"))
    assert ends == {Action.SHUTDOWN: State.CANCELLED, Action.STOP: State.DONE}
    assert building_a.pve.guest(101).status == "stopped"


@pytest.mark.parametrize("version", ["8.1.4", "7.4", ""])
def test_an_older_cluster_cannot(building_a: Lab, ana: User, deaf: VirtualMachine, version: str) -> None:
    wait_a_minute()
    ClusterHealth.objects.filter(cluster=building_a.row).update(version=version)
    with pytest.raises(operations.Refused, match="in progress"):
        operations.request(deaf, Action.STOP, by=ana)


def test_high_availability_decides_for_itself(ana: User, deaf: VirtualMachine) -> None:
    wait_a_minute()
    deaf.ha_state = "started"
    with pytest.raises(operations.Refused, match="in progress"):
        operations.request(deaf, Action.STOP, by=ana)


def test_a_start_is_not_cut_short(ana: User, deaf: VirtualMachine) -> None:
    wait_a_minute()
    Operation.objects.open().update(action=Action.START)
    with pytest.raises(operations.Refused, match="in progress"):
        operations.request(deaf, Action.STOP, by=ana)
