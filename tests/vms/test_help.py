"""Asking for help: who may, who hears of it, and how it ends."""

import re
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab
from vms.models import Assignment, HelpRequest, MachineSet, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def hers(networks: MachineSet, building_a: Lab, ana: User) -> VirtualMachine:
    """Ana holds 101, and tess looks after it."""
    return building_a.assign(101, ana)


@pytest.fixture
def as_ana(ana: User) -> Client:
    client = Client()
    client.force_login(ana)
    return client


def ask(client: Client, machine: VirtualMachine, text: str = "") -> Any:
    return client.post(reverse("vms-help", args=[machine.pk]), {"text": text}, follow=True)


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def page(client: Client, group: MachineSet) -> str:
    return text(client.get(reverse("vms-set", args=[group.pk])))


def done(client: Client, group: MachineSet) -> int:
    one = HelpRequest.objects.latest("pk")
    return client.post(reverse("vms-help-done", args=[group.pk, one.pk])).status_code


def test_the_steward_sees_who_asks_and_what_for(
    tess: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet
):
    assert "Your teacher sees it on every page of the portal." in text(ask(as_ana, hers, "No\nnetwork <b>"))
    seen = page(tess, networks)
    assert "1 help request" in seen
    assert "No network &lt;b&gt;" in seen
    assert "asked for help just now" in seen


def test_a_second_time_is_the_same_request(as_ana: Client, hers: VirtualMachine):
    ask(as_ana, hers)
    assert "You have already asked for help." in text(ask(as_ana, hers))
    assert HelpRequest.objects.count() == 1


def test_the_database_keeps_it_to_one(as_ana: Client, hers: VirtualMachine):
    ask(as_ana, hers)
    with pytest.raises(IntegrityError), transaction.atomic():
        HelpRequest.objects.create(assignment=Assignment.objects.get())


def test_it_can_be_taken_back(tess: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet):
    ask(as_ana, hers)
    assert "Cancel request" in text(as_ana.get(reverse("vms-machine", args=[hers.pk])))
    as_ana.post(reverse("vms-help-back", args=[hers.pk]))
    assert "asked for help" not in page(tess, networks)


def test_done_closes_it_and_tells_who_did(tess: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet):
    ask(as_ana, hers)
    assert done(tess, networks) == 302
    assert HelpRequest.objects.get().closed_by.username == "tess"
    assert "asked for help" not in page(tess, networks)


def test_nobody_else_closes_it(client: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet, ben: User):
    ask(as_ana, hers)
    client.force_login(ben)
    own = MachineSet.objects.create(name="Theirs")
    own.stewards.add(ben)
    assert (done(client, networks), done(client, own)) == (404, 404)
    assert HelpRequest.objects.open().exists()


def test_it_ends_with_the_assignment(tess: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet):
    ask(as_ana, hers)
    Assignment.objects.end()
    assert "asked for help" not in page(tess, networks)


@pytest.mark.parametrize("name", ["vms-help", "vms-help-back"])
def test_only_who_holds_the_machine_asks(client: Client, tess: Client, hers: VirtualMachine, ben: User, name: str):
    address = reverse(name, args=[hers.pk])
    assert tess.post(address).status_code == 404
    client.force_login(ben)
    assert client.post(address).status_code == 404
    assert not HelpRequest.objects.exists()


def test_where_nobody_looks_after_the_machine_it_is_not_offered(
    as_ana: Client, hers: VirtualMachine, networks: MachineSet
):
    machine = reverse("vms-machine", args=[hers.pk])
    assert "Ask for help" in text(as_ana.get(machine))
    networks.stewards.clear()
    assert "Ask for help" not in text(as_ana.get(machine))
    assert "Nobody gets help requests for this machine" in text(ask(as_ana, hers))
    assert not HelpRequest.objects.exists()


def test_it_is_asked_only_so_often(as_ana: Client, hers: VirtualMachine, ana: User):
    for _ in range(HelpRequest.MAX_REQUESTS):
        ask(as_ana, hers)
        HelpRequest.objects.all().close(by=ana)
    assert "several times in a few minutes" in text(ask(as_ana, hers))
    assert not HelpRequest.objects.open().exists()


def test_the_card_in_the_list_offers_it_to_who_holds_the_machine(
    tess: Client, as_ana: Client, hers: VirtualMachine, networks: MachineSet
):
    offer = f"{reverse('vms-machine', args=[hers.pk])}?help=yes#help-form"
    assert offer in text(as_ana.get("/vms/?cluster="))
    assert offer not in text(tess.get("/vms/?cluster="))
    networks.stewards.clear()
    assert offer not in text(as_ana.get("/vms/?cluster="))
