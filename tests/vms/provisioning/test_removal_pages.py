"""The page before made machines are removed: what goes, who used it since, and a word to type."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from tests.workshop import Workshop
from vms.models import MadeMachine, Operation, ProvisioningRun
from vms.pages.run import POLL_EVERY

State = MadeMachine.State


@pytest.fixture
def run(workshop: Workshop) -> ProvisioningRun:
    made = workshop.run(2)
    made.machines.update(state=State.READY, ready_at=timezone.now())
    return made


@pytest.fixture
def teacher(client: Client, workshop: Workshop) -> Client:
    client.force_login(workshop.teacher)
    return client


def addresses(run: ProvisioningRun) -> list[str]:
    return [reverse("vms-run-undo", args=[run.pk]), reverse("vms-set-remove-made", args=[run.machine_set.pk])]


def shown(client: Client, address: str) -> str:
    page = client.get(address).content.decode()
    return re.findall(r'name="shown" value="(\w+)"', page)[0]


def states(run: ProvisioningRun) -> set[str]:
    return set(run.machines.values_list("state", flat=True))


@pytest.mark.parametrize("which", [0, 1])
def test_with_the_word_the_machines_are_removed(teacher: Client, run: ProvisioningRun, which: int):
    address = addresses(run)[which]
    sent = {"typed": "Networks 101", "shown": shown(teacher, address)}
    assert teacher.post(address, sent).status_code == 302
    assert states(run) == {State.REMOVING}
    assert set(run.machines.values_list("removal_requested_by_name", flat=True)) == {"teacher"}


@pytest.mark.parametrize("typed", ["", "networks 101", "yes"])
def test_without_it_nothing_happens(teacher: Client, run: ProvisioningRun, typed: str):
    address = addresses(run)[0]
    assert teacher.post(address, {"typed": typed, "shown": shown(teacher, address)}).status_code == 400
    assert states(run) == {State.READY}


def test_what_the_page_did_not_show_is_not_removed(teacher: Client, run: ProvisioningRun, workshop: Workshop):
    address = addresses(run)[1]
    sent = {"typed": "Networks 101", "shown": shown(teacher, address)}
    workshop.run(1)
    answer = teacher.post(address, sent)
    assert answer.status_code == 400
    assert "changed in the meantime" in answer.content.decode()
    assert states(run) == {State.READY}


def test_the_page_names_who_used_a_machine(teacher: Client, workshop: Workshop):
    run = workshop.run(1)
    workshop.work()
    now = timezone.now()
    made = workshop.machine()
    Operation.objects.create(
        vm=made.vm, cluster_id=made.cluster_id, vmid=made.vmid, action="reboot", state="done", requested_by_name="ana",
        finished_at=now, admitted_at=now, sent_at=now,
    )  # fmt: skip
    page = teacher.get(addresses(run)[0]).content.decode()
    assert "web-1" in page
    assert "ana" in page
    assert "1 machine will be deleted" in page


def test_who_does_not_manage_the_group_finds_nothing(client: Client, run: ProvisioningRun, db: None):
    client.force_login(User.objects.create_user("ben"))
    assert {client.get(address).status_code for address in addresses(run)} == {404}


def test_the_page_of_the_run_follows_the_removal(teacher: Client, run: ProvisioningRun):
    address = reverse("vms-run", args=[run.pk])
    run.machines.update(state=State.REMOVING)
    page = teacher.get(address).content.decode()
    assert "2 being removed" in page
    assert f"every {POLL_EVERY}ms" in page
    run.machines.update(state=State.REFUSED)
    page = teacher.get(address).content.decode()
    assert "2 not removed" in page
    assert "every 1s" not in page
