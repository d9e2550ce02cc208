"""Retry: request a sync of a cluster that does not respond, and dismiss failed operations."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from clusters.models import ClusterHealth
from tests.labs import Lab
from vms.models import ClusterSync, Operation, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def hers(building_a: Lab, ana: User, client: Client) -> VirtualMachine:
    client.force_login(ana)
    return building_a.assign(101, ana)


def page(client: Client) -> str:
    return str(client.get("/vms/?cluster=").content.decode())


def failed(machine: VirtualMachine, **fields: Any) -> Operation:
    now = timezone.now()
    values = {"vm": machine, "cluster_id": machine.cluster_id, "vmid": machine.vmid, "action": "start",
              "state": "failed", "admitted_at": now, "finished_at": now}  # fmt: skip
    return Operation.objects.create(**values | fields)


def dismiss(client: Client, machine: VirtualMachine, operation: uuid.UUID) -> int:
    return client.post(reverse("vms-dismiss", args=[machine.pk, operation])).status_code


def test_what_failed_is_put_away(client: Client, hers: VirtualMachine) -> None:
    one = failed(hers)
    assert "“Start” failed" in page(client)
    assert reverse("vms-dismiss", args=[hers.pk, one.pk]) in page(client)
    assert dismiss(client, hers, one.pk) == 302
    assert "“Start” failed" not in page(client)


def test_a_later_failure_is_told_again(client: Client, hers: VirtualMachine) -> None:
    one = failed(hers)
    failed(hers, action="stop")
    dismiss(client, hers, one.pk)
    assert "“Force stop” failed" in page(client)


def test_what_goes_on_and_what_is_elsewhere_is_not_put_away(
    client: Client, hers: VirtualMachine, building_a: Lab
) -> None:
    others = failed(building_a.machine(102))
    running = failed(hers, state="running", finished_at=None)
    wanted = [dismiss(client, hers, one) for one in (others.pk, running.pk, uuid.uuid4())]
    wanted.append(dismiss(client, building_a.machine(102), others.pk))
    assert wanted == [404] * 4
    assert not Operation.objects.exclude(dismissed_at=None).exists()


def silent(lab: Lab) -> None:
    """Asked a minute ago, and again in four minutes."""
    now = timezone.now()
    ClusterHealth.objects.update(ok=False, failing_since=now)
    ClusterSync.objects.update(asked_at=now - timedelta(minutes=1), due_at=now + timedelta(minutes=4))


def ask(client: Client, cluster_id: str) -> Any:
    return client.post(reverse("vms-ask-again", args=[cluster_id]), {"cluster": ""}, follow=True)


def test_a_silent_cluster_is_asked_again(client: Client, hers: VirtualMachine, building_a: Lab) -> None:
    silent(building_a)
    assert reverse("vms-ask-again", args=["building-a"]) in page(client)
    assert "Trying to reach Building A again." in ask(client, "building-a").content.decode()
    assert ClusterSync.objects.get().due_at <= timezone.now()


def test_nobody_asks_twice_in_a_moment(client: Client, hers: VirtualMachine, building_a: Lab) -> None:
    silent(building_a)
    ask(client, "building-a")
    assert "a moment ago" in ask(client, "building-a").content.decode()
    later = timezone.now() + timedelta(minutes=4)
    ClusterSync.objects.update(asked_at=timezone.now() - timedelta(seconds=14), due_at=later)
    ask(client, "building-a")
    assert ClusterSync.objects.get().due_at == later


def test_a_cluster_without_a_machine_of_his_is_not_there(client: Client, hers: VirtualMachine, building_b: Lab) -> None:
    silent(building_b)
    assert ask(client, "building-b").status_code == 404
