"""*Check this template* says what forbids making machines out of it, and what somebody should know."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from pvesim.guest_config import GIB
from tests.workshop import POOL, TEMPLATE, Workshop
from vms.provisioning import template_check

SOUND = {"ide2": f"data:{TEMPLATE}/vm-{TEMPLATE}-cloudinit.qcow2,media=cdrom", "agent": "enabled=1"}


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    for guest in workshop.pve.guests:
        guest.options.update(SOUND)
    return workshop


def codes(workshop: Workshop) -> set[str]:
    return {finding.message.code for one in template_check.check(workshop.template) for finding in one.findings}


def test_a_sound_template_is_ready_and_its_sizes_are_read(shop: Workshop):
    shop.guest(TEMPLATE).maxmem = 2 * GIB
    assert codes(shop) == set()
    shop.template.refresh_from_db()
    assert template_check.is_ready(shop.template)
    assert shop.template.checked_at
    assert (shop.template.memory_mib, shop.template.disk_gib) == (2048, 8)
    copy = shop.template.copies.get(vmid=TEMPLATE)
    assert (copy.storage, copy.is_shared, len(copy.uuid)) == ("data", False, 36)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"hookscript": "local:snippets/x.pl"}, "check-hookscript"),
        ({"protection": 1}, "check-protection"),
    ],
)
def test_what_nobody_could_remove_from_the_machines_forbids_them(shop: Workshop, options: dict[str, Any], code: str):
    shop.guest(TEMPLATE).options.update(options)
    assert codes(shop) == {code}
    shop.template.refresh_from_db()
    assert not template_check.is_ready(shop.template)


def test_so_does_what_cannot_be_cloned(shop: Workshop):
    shop.guest(TEMPLATE).template = False
    shop.pve.put_in_pool(TEMPLATE, POOL)
    shop.pve.remove_guest(TEMPLATE + 1)
    assert {"check-no-template", "check-in-pool", "check-not-there"} <= codes(shop)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"agent": "0"}, "check-no-agent"),
        ({"ide2": "none,media=cdrom"}, "check-no-cloudinit"),
        ({"cipassword": "in-clear"}, "check-clear-password"),
        ({"cicustom": "user=local:snippets/u.yml"}, "check-cicustom"),
        ({"ide0": "local:iso/debian.iso,media=cdrom"}, "check-cd"),
        ({"hostpci0": "0000:01:00"}, "check-devices"),
        ({"onboot": 1}, "check-onboot"),
        ({"ostype": "win11"}, "check-windows"),
        ({"tpmstate0": "data:9000/vm-9000-disk-1.raw,size=4M"}, "check-tpm"),
        ({"arch": "aarch64"}, "check-arch"),
        ({"args": "-device virtio-net-pci,mac=BC:24:11:00:00:01"}, "check-fixed-mac"),
    ],
)
def test_what_somebody_should_know_is_a_note(shop: Workshop, options: dict[str, Any], code: str):
    shop.guest(TEMPLATE).options.update(options)
    assert code in codes(shop)
    shop.template.refresh_from_db()
    assert template_check.is_ready(shop.template)


def test_a_fixed_address_is_for_all_machines(shop: Workshop):
    shop.template.ip_config = "ip=10.0.0.5/24"
    assert codes(shop) == {"check-fixed-address"}


def test_the_page_shows_it_in_the_readers_language(client: Client, shop: Workshop):
    client.force_login(User.objects.create_superuser("admin"))
    shop.guest(TEMPLATE).options["protection"] = 1
    address = reverse("admin:vms_machinetemplate_check", args=[shop.template.pk])
    page = client.post(address, follow=True).content.decode()
    assert "Not all copies can be used" in page
    assert "nobody could remove them" in page
    shop.template.refresh_from_db()
    with translation.override("es"):
        [finding] = template_check.stored(shop.template)[0].findings
        assert "nobody" not in finding.message
