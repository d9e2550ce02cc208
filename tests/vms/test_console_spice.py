"""Files for virt-viewer."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from clusters import proxmox
from clusters.proxmox import results
from tests.labs import Lab
from tests.vms.console_client import browser_of
from vms import inventory
from vms.models import Operation, VirtualMachine

pytestmark = pytest.mark.django_db


def read_details(lab: Lab) -> None:
    VirtualMachine.objects.update(details_due_at=None)
    inventory.read_details(lab.config)


def ask(user: User, pk: int) -> Any:
    return browser_of(user).post(reverse("vms-spice", args=[pk]))


def test_a_display_that_speaks_spice_is_given_as_a_file(building_a: Lab, ana: User, settings: Any):
    settings.SPICE_FILES = True
    building_a.pve.guest(102).options["vga"] = "qxl"
    answer = ask(ana, building_a.assign(102, ana).pk)
    assert answer["Content-Disposition"] == 'attachment; filename="net-02.vv"'
    lines = answer.content.decode().splitlines()
    assert lines[0] == "[virt-viewer]"
    assert {"type=spice", "delete-this-file=1", "title=net-02"} < set(lines)
    assert Operation.objects.get().outcome == "SPICE file downloaded."


def test_by_default_there_is_none(building_a: Lab, ana: User):
    assert ask(ana, building_a.assign(102, ana).pk).status_code == 404


def test_another_display_and_a_machine_that_is_off_have_none(building_a: Lab, ana: User, settings: Any):
    settings.SPICE_FILES = True
    answer = ask(ana, building_a.assign(102, ana).pk)
    assert (answer.status_code, "SPICE" in answer.content.decode()) == (409, True)
    assert ask(ana, building_a.assign(101, ana).pk).status_code == 409
    assert not Operation.objects.exists()


def test_a_foreign_machine_is_not_there(building_a: Lab, ana: User, ben: User, settings: Any):
    settings.SPICE_FILES = True
    assert ask(ben, building_a.assign(102, ana).pk).status_code == 404


@pytest.mark.parametrize("name", ["host", "proxy", "tls-port", "password", "host-subject", "ca", "type"])
def test_a_line_of_somebody_elses_gets_into_no_file(name: str):
    good = {
        "type": "spice", "host": "pvespiceproxy:1:2:pve1:61000::ab", "proxy": "http://10.0.0.1:3128",
        "tls-port": 61000, "password": "a" * 40, "host-subject": "O=PVE,CN=pve1",
        "ca": "-----BEGIN CERTIFICATE-----\\n" + "A" * 200 + "\\n-----END CERTIFICATE-----\\n",
    }  # fmt: skip
    assert results.spice(good).settings["tls-port"] == "61000"
    with pytest.raises(proxmox.ProtocolError):
        results.spice(good | {name: f"{good[name]}\n[ovirt]\nhost=evil"})


def test_it_is_offered_for_such_a_display_only(building_a: Lab, ana: User, settings: Any):
    settings.SPICE_FILES = True
    machine = building_a.assign(102, ana)
    page, button = reverse("vms-machine", args=[machine.pk]), b'id="spice"'
    assert button not in browser_of(ana).get(page).content
    building_a.pve.guest(102).options["vga"] = "type=qxl2,memory=64"
    read_details(building_a)
    assert button in browser_of(ana).get(page).content
    assert building_a.machine(102).vga == "type=qxl2,memory=64"


def test_the_file_follows_a_machine_that_moved(building_a: Lab, ana: User, settings: Any):
    settings.SPICE_FILES = True
    machine, guest = building_a.assign(102, ana), building_a.pve.guest(102)
    guest.options["vga"] = "qxl"
    guest.node = "pve1"
    answer = ask(ana, machine.pk)
    assert (answer.status_code, building_a.machine(102).node) == (200, "pve1")
