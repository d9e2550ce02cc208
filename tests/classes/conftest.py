from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from classes import lifecycle
from classes.enrolment import class_machines, invites
from classes.models import Invite, LabClass
from tests.conftest import PASSWORD
from tests.labs import Lab, building_a, building_b, clock, impatient, sim
from tests.own_database import migrated_template, own_database
from vms.models import ClusterGrant, VirtualMachine

__all__ = ["building_a", "building_b", "clock", "impatient", "migrated_template", "own_database", "sim"]

MakeClass = Callable[..., LabClass]


def teacher(username: str) -> User:
    person = User.objects.create_user(username, password=PASSWORD)
    person.groups.add(Group.objects.get(name="Teacher"))
    return person


@pytest.fixture
def tess() -> User:
    """A teacher."""
    return teacher("tess")


@pytest.fixture
def theo() -> User:
    """Another teacher: the outsider to tess's class."""
    return teacher("theo")


def grant(person: User, lab: Lab, pool: str = "") -> ClusterGrant:
    return ClusterGrant.objects.create(user=person, cluster=lab.row, pool=pool)


def lab_class(owner: User, lab: Lab, *vmids: int, name: str = "Networks 101") -> LabClass:
    """A class with these machines of a cluster, which its owner was granted."""
    given = ClusterGrant.objects.filter(user=owner, cluster=lab.row).first() or grant(owner, lab)
    made = lifecycle.create(LabClass(name=name), owner=owner, grants=[given])
    class_machines.add(made, [lab.machine(vmid).pk for vmid in vmids], by=owner)
    return made


def invite(made: LabClass, **fields: Any) -> tuple[Invite, str, str]:
    """An invite with its token and its code."""
    row = Invite(**fields)
    token, code = invites.create(made, row, by=made.owner)
    return row, token, code


@pytest.fixture
def networks(tess: User, building_a: Lab) -> LabClass:
    """tess's class, with 101 and 102 of building A."""
    return lab_class(tess, building_a, 101, 102)


@pytest.fixture
def join_url(networks: LabClass) -> str:
    """A link into it."""
    return f"/join/{invite(networks)[1]}/"


def logged_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def rows(lab: Lab, count: int) -> list[VirtualMachine]:
    """Machines that the cluster never heard of, for what asks no cluster."""
    return VirtualMachine.objects.bulk_create(
        VirtualMachine(cluster=lab.row, vmid=1000 + n, name=f"pc-{n:03}", node="pve1", status="stopped")
        for n in range(count)
    )
