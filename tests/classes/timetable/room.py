"""A cluster that nobody asks, with three machines: what the worker decides by its rows alone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from classes import lifecycle
from classes.enrolment import class_machines
from classes.models import LabClass, Membership
from clusters import proxmox
from clusters.models import Cluster, ClusterHealth
from tests.classes.timetable.conftest import MONDAY, NOW, make_lesson
from vms.models import Assignment, ClusterGrant, ClusterSync, Operation, VirtualMachine

BELL = NOW + timedelta(hours=2)  # 10:00 in Madrid, until 11:30
END = BELL + timedelta(minutes=90)
Go = Callable[..., datetime]


@dataclass
class Room:
    row: Cluster

    def machine(self, vmid: int) -> VirtualMachine:
        return VirtualMachine.objects.select_related("cluster").get(cluster=self.row, vmid=vmid)

    def change(self, *vmids: int, **values: Any) -> None:
        VirtualMachine.objects.filter(cluster=self.row, vmid__in=vmids).update(**values)

    def assign(self, vmid: int, person: User) -> None:
        Assignment.objects.create(vm=self.machine(vmid), user=person)

    def limit(self, **values: int) -> None:
        ClusterSync.objects.filter(cluster=self.row).update(**values)

    def operation(self, vmid: int, action: str, at: datetime, *, state: str = "done", **more: Any) -> Operation:
        machine = self.machine(vmid)
        times = {"requested_at": at, "admitted_at": at, "sent_at": at}
        times |= {} if state in Operation.OPEN else {"finished_at": at}
        values = {"vm": machine, "cluster_id": machine.cluster_id, "vmid": vmid, "action": action, "state": state}
        return Operation.objects.create(**values | times | more)


class Nodes:
    """Stands for a connection that reads: every node has 8 GB."""

    def __init__(self, *_args: Any) -> None: ...

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *_args: object) -> None: ...

    def node_status(self, node: str) -> Any:
        return proxmox.NodeStatus(0, 4, 8 * 2**30, 0, 0, 0, 0, "", "")


@pytest.fixture
def room() -> Room:
    """101 and 104 are off, on two nodes, and 102 is running."""
    row = Cluster.objects.create(cluster_id="room", name="Room", host="192.0.2.1", user="portal@pve", password="unused")
    ClusterHealth.succeeded("room", at=NOW)
    ClusterSync.objects.update_or_create(cluster=row, defaults={"synced_at": NOW})
    for vmid, node, status in ((101, "pve1", "stopped"), (102, "pve2", "running"), (104, "pve2", "stopped")):
        VirtualMachine.objects.create(cluster=row, vmid=vmid, name=f"net-{vmid}", node=node, status=status)
    return Room(row)


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, room: Room) -> Go:
    """Sets the clock to so many seconds from the bell; the cluster was read just then."""

    def set_clock(seconds: float, *, after: datetime = BELL) -> datetime:
        now = after + timedelta(seconds=seconds)
        monkeypatch.setattr(timezone, "now", lambda: now)
        ClusterSync.objects.update(synced_at=now)
        return now

    return set_clock


@pytest.fixture
def networks(tess: User, ana: User, ben: User, room: Room) -> LabClass:
    """tess's class, on a Monday from 10:00 to 11:30: 101 is ana's, 104 is ben's, 102 nobody's."""
    grant = ClusterGrant.objects.create(user=tess, cluster=room.row)
    made = lifecycle.create(LabClass(name="Networks 101", time_zone="Europe/Madrid"), owner=tess, grants=[grant])
    class_machines.add(made, [room.machine(vmid).pk for vmid in (101, 102, 104)], by=tess)
    room.assign(101, ana)
    room.assign(104, ben)
    Membership.objects.create(lab_class=made, user=ana, joined_at=NOW)
    make_lesson(made, MONDAY, MONDAY)
    return made
