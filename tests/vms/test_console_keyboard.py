"""The keyboard of a machine's console: its layout is chosen once, and what spoils typing and pointing is said."""

from typing import Any

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.labs import Lab
from vms import inventory
from vms.console import keyboards
from vms.models import ClusterSync, VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def hers(building_a: Lab, ana: User) -> VirtualMachine:
    """Ana's 102 runs."""
    return building_a.assign(102, ana)


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def choose(client: Client, machine: VirtualMachine, layout: str) -> Any:
    return client.post(reverse("vms-console-keyboard", args=[machine.pk]), {"layout": layout})


def page_of(client: Client, machine: VirtualMachine) -> str:
    return " ".join(client.get(reverse("vms-console", args=[machine.pk])).content.decode().split())


def proposed(machine: VirtualMachine) -> tuple[str, bool]:
    found = keyboards.for_machine(VirtualMachine.objects.get(pk=machine.pk))
    return found.layout, found.is_guess


def test_the_layout_of_a_machine_is_remembered_and_logged(as_ana: Client, hers: VirtualMachine, ana: User) -> None:
    assert '<option value="">' in page_of(as_ana, hers)
    assert choose(as_ana, hers, "es").json() == {"layout": "es"}
    page = page_of(as_ana, hers)
    assert '<option value="">' not in page
    assert '<option value="es" selected>' in page
    entry = LogEntry.objects.get_for_object(hers).latest("timestamp")
    assert (entry.actor, entry.changes) == (ana, {"keyboard_layout": ["", "es"]})
    assert choose(as_ana, hers, "es").status_code == 200
    assert LogEntry.objects.get_for_object(hers).latest("timestamp") == entry, "the same again is no change"


def test_nothing_but_a_layout_is_one(as_ana: Client, hers: VirtualMachine) -> None:
    for wrong in ("", "xx", "ES"):
        assert choose(as_ana, hers, wrong).status_code == 400
    assert proposed(hers) == ("", True)


def test_another_machine_under_the_number_has_no_layout_yet(
    building_a: Lab, as_ana: Client, hers: VirtualMachine
) -> None:
    inventory.read_details(building_a.config)
    choose(as_ana, hers, "es")
    building_a.pve.remove_guest(102)
    building_a.pve.add_guest(102, name="other", node="pve2", status="running")
    VirtualMachine.objects.update(details_due_at=None)
    inventory.read_details(building_a.config)
    assert proposed(VirtualMachine.objects.present().get(vmid=102)) == ("", True)


def test_options_of_machine_and_cluster_are_read_and_propose_a_layout(building_a: Lab, hers: VirtualMachine) -> None:
    def read(machine_option: str, cluster_option: str) -> tuple[str, bool]:
        building_a.pve.guest(102).options["keyboard"] = machine_option
        building_a.pve.keyboard = cluster_option
        VirtualMachine.objects.update(details_due_at=None)
        inventory.read_details(building_a.config)
        inventory.read_facts(building_a.config)
        return proposed(hers)

    assert read("", "de") == ("de", True)
    assert read("fr", "de") == ("fr", True)
    assert read("pl", "de") == ("", True), "QEMU has the option of the machine, which is none of the layouts"
    assert read("", "en-us") == ("", True), "the installer writes it, whatever the guests have"
    assert read("", "") == ("", True)
    VirtualMachine.objects.update(keyboard_layout="it")
    assert read("fr", "de") == ("it", False)


def test_where_the_option_spoils_accents_is_said(as_ana: Client, hers: VirtualMachine) -> None:
    lost, either = "accents that you type may be lost", "Text cannot be pasted either"
    assert lost not in page_of(as_ana, hers)
    ClusterSync.objects.update(keyboard="es")
    page = page_of(as_ana, hers)
    assert f"Proxmox VE sets the keyboard “es” for the cluster: {lost}. Use “Paste text” for them" in page
    assert 'data-option="es"' in page
    VirtualMachine.objects.update(keyboard_option="pl")
    page = page_of(as_ana, hers)
    assert f"Proxmox VE sets the keyboard “pl” for this machine: {lost}. {either}" in page


def test_a_missing_tablet_and_windows_are_known(building_a: Lab, as_ana: Client, hers: VirtualMachine) -> None:
    inventory.read_details(building_a.config)
    page = page_of(as_ana, hers)
    assert "Use tablet for pointer" not in page
    assert "data-is-windows" not in page
    building_a.pve.guest(102).options.update(tablet=0, ostype="win11")
    VirtualMachine.objects.update(details_due_at=None)
    inventory.read_details(building_a.config)
    page = page_of(as_ana, hers)
    assert "“Use tablet for pointer” is off" in page
    assert "data-is-windows" in page


@pytest.mark.parametrize(
    ("status", "words", "may_resume"),
    [
        ("running", "", False),
        ("suspended", "", False),
        ("paused", "Paused: the picture stands still, and keys do nothing.", True),
        ("guest-panicked", "Crashed: the picture stands still, and keys do nothing.", False),
    ],
)
def test_a_picture_that_stands_still_is_explained(
    as_ana: Client, hers: VirtualMachine, status: str, words: str, may_resume: bool
) -> None:
    VirtualMachine.objects.update(status=status)
    found = as_ana.get(reverse("vms-console-state", args=[hers.pk])).json()
    assert (found["standstill"], found["may_resume"]) == (words, may_resume)
