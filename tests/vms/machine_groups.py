"""A machine group with a manager, for the tests of its pages."""

import pytest
from django.test import Client

from accounts.models import User
from tests.labs import Lab
from vms.models import MachineSet, VirtualMachine


@pytest.fixture
def manager() -> User:
    """A teacher, who is not staff."""
    return User.objects.create_user("tess", first_name="Tess")


@pytest.fixture
def networks(building_a: Lab, manager: User) -> MachineSet:
    """All of building A: 101, 103 and 104, which are stopped, and 102, which runs."""
    made = MachineSet.objects.create(name="Networks")
    made.machines.set(VirtualMachine.objects.all())
    made.stewards.add(manager)
    return made


@pytest.fixture
def tess(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def many(lab: Lab, group: MachineSet, count: int) -> None:
    """So many more machines, of which the cluster knows nothing."""
    rows = [
        VirtualMachine(cluster=lab.row, vmid=1000 + n, name=f"m-{n}", node="pve1", status="stopped")
        for n in range(count)
    ]
    group.machines.add(*VirtualMachine.objects.bulk_create(rows))
