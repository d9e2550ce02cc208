"""Addresses and snapshots are read again while somebody looks, when something happened, and on a button."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.labs import Lab, ago
from vms import inventory
from vms.models import ClusterSync, MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db

SOON = timedelta(seconds=5)


@pytest.fixture
def hers(building_a: Lab, ana: User, client: Client) -> VirtualMachine:
    """102 runs. Its details were read an hour ago, and are due in five hours."""
    client.force_login(ana)
    machine = building_a.assign(102, ana)
    return read_at(machine, ago(hours=1), due=timezone.now() + timedelta(hours=5))


def read_at(machine: VirtualMachine, at: Any, *, due: Any, failures: int = 0) -> VirtualMachine:
    values = {"details_at": at, "details_due_at": due, "details_failures": failures}
    VirtualMachine.objects.filter(pk=machine.pk).update(**values)
    machine.refresh_from_db()
    return machine


def is_due(machine: VirtualMachine) -> bool:
    machine.refresh_from_db()
    return machine.details_due_at <= timezone.now() + SOON


def page_of(machine: VirtualMachine) -> str:
    return reverse("vms-machine", args=[machine.pk])


def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clusters for which somebody enqueues a job, from now on."""
    asked: list[str] = []

    def note(cluster_id: str, **_kwargs: object) -> None:
        asked.append(cluster_id)

    inventory.details_waits.connect(note, weak=False, dispatch_uid="test")
    monkeypatch.setattr(inventory.details_waits, "_test", asked, raising=False)
    return asked


def test_an_address_that_changed_is_there_when_somebody_looks(client: Client, hers: VirtualMachine, building_a: Lab):
    building_a.pve.guest(102).agent, building_a.pve.guest(102).addresses = "alive", ("10.0.0.99",)
    assert "Being read again…" in client.get(page_of(hers)).content.decode()
    assert is_due(hers)
    inventory.read_details(building_a.config)
    found = client.get(page_of(hers)).content.decode()
    assert ("10.0.0.99" in found, "Being read again…" in found) == (True, False)


def test_looking_enqueues_one_job(client: Client, hers: VirtualMachine, monkeypatch: pytest.MonkeyPatch):
    asked = jobs(monkeypatch)
    client.get(page_of(hers))
    client.get(page_of(hers))
    inventory.details_waits.disconnect(dispatch_uid="test")
    assert asked == ["building-a"]


def test_what_was_read_a_moment_ago_is_not_read_again(client: Client, hers: VirtualMachine):
    read_at(hers, ago(seconds=10), due=timezone.now() + timedelta(hours=6))
    assert "Being read again…" not in client.get(page_of(hers)).content.decode()
    assert not is_due(hers)


def test_what_could_not_be_read_a_moment_ago_waits(client: Client, hers: VirtualMachine):
    delay = inventory.details.RETRY_DELAYS[-1]
    read_at(hers, ago(hours=2), due=timezone.now() + delay - timedelta(seconds=10), failures=9)
    client.get(page_of(hers))
    assert not is_due(hers)
    read_at(hers, ago(hours=2), due=timezone.now() + delay - timedelta(seconds=40), failures=9)
    client.get(page_of(hers))
    assert is_due(hers)


def test_the_list_of_a_student_reads_running_machines_again(client: Client, hers: VirtualMachine):
    client.get(reverse("vms-list"))
    assert is_due(hers)


def test_a_list_that_has_not_changed_does_so_too(client: Client, hers: VirtualMachine):
    found = client.get(reverse("vms-list"))
    read_at(hers, ago(hours=1), due=timezone.now() + timedelta(hours=5))
    poll = found.context["poll"]
    assert client.get(poll, headers={"HX-Request": "true"}).status_code == 204
    assert is_due(hers)


def test_the_list_of_staff_does_not(client: Client, hers: VirtualMachine, lab_admin: User):
    client.force_login(lab_admin)
    client.get(reverse("vms-list"))
    assert not is_due(hers)


def test_the_button_reads_details_and_cluster_now(client: Client, hers: VirtualMachine):
    read_at(hers, ago(seconds=10), due=timezone.now() + timedelta(hours=6))
    ClusterSync.objects.update(asked_at=ago(minutes=1), due_at=timezone.now() + timedelta(minutes=1))
    assert "read-again" in client.get(page_of(hers)).content.decode()
    answer = client.post(reverse("vms-read-again", args=[hers.pk]), follow=True)
    assert "are being read again" in answer.content.decode()
    assert is_due(hers)
    assert ClusterSync.objects.get().due_at <= timezone.now()


def test_others_do_not_find_the_button(client: Client, hers: VirtualMachine, ben: User):
    client.force_login(ben)
    assert client.post(reverse("vms-read-again", args=[hers.pk])).status_code == 404
    assert not is_due(hers)


def test_the_page_that_offers_snapshots_of_many_reads_them_again(client: Client, hers: VirtualMachine, lab_admin: User):
    group = MachineSet.objects.create(name="net")
    group.machines.add(hers)
    client.force_login(lab_admin)
    asked = client.post(reverse("vms-set-ask", args=[group.pk]), {"action": "rollback", "whose": "all"})
    assert asked.status_code == 200
    assert is_due(hers)


@pytest.mark.parametrize("changed", ["lock", "node"])
def test_the_end_of_a_lock_and_a_move_ask_for_the_details(hers: VirtualMachine, building_a: Lab, changed: str):
    if changed == "lock":
        building_a.pve.guest(102).lock = "snapshot"
        building_a.sync()
        assert not is_due(hers)
        building_a.pve.guest(102).lock = None
    else:
        building_a.pve.guest(102).node = "pve1"
    building_a.sync()
    assert is_due(hers)
