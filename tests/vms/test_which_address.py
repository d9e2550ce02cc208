"""Which of the addresses that a guest tells is the one to connect to."""

import pytest

from tests.labs import Lab
from tests.vms.test_inventory_details import look, with_agent
from vms.pages import remote_desktop

pytestmark = pytest.mark.django_db

OTHERS = {
    "Docker": [("docker0", "02:42:ac:11:00:01", ("172.17.0.1",)), ("br-0123456789ab", "02:42:0", ("172.18.0.1",))],
    "WSL": [("vEthernet (WSL)", "00:15:5d:01:02:03", ("172.28.176.1",))],
    "a VPN": [("tailscale0", "", ("100.101.102.103",))],
    "Kubernetes": [(f"cali{n}", "ee:ee:ee:ee:ee:ee", (f"10.244.0.{n}",)) for n in range(1, 71)],
    "another card": [("ens19", "52:54:00:01:02:03", ("10.99.0.1",))],
}


def told(lab: Lab, vmid: int = 102) -> list[str]:
    look(lab, vmid)
    return lab.machine(vmid).addresses


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS)
def test_the_address_of_a_configured_card_comes_first(building_a: Lab, others: list[tuple[str, str, tuple[str, ...]]]):
    with_agent(building_a, 102, "10.20.0.15", "2001:db8::15")
    building_a.pve.guest(102).inner_cards = tuple(others)
    assert told(building_a)[:2] == ["10.20.0.15", "2001:db8::15"]
    assert remote_desktop.address_of(building_a.machine(102)) == "10.20.0.15"


def test_on_ipv6_alone_the_address_of_docker_does_not_win(building_a: Lab):
    with_agent(building_a, 102, "2001:db8::15")
    building_a.pve.guest(102).inner_cards = (("docker0", "02:42:ac:11:00:01", ("172.17.0.1",)),)
    look(building_a, 102)
    assert remote_desktop.address_of(building_a.machine(102)) == "2001:db8::15"


def test_of_one_card_the_ipv4_address_comes_first(building_a: Lab):
    with_agent(building_a, 102, "2001:db8::15", "10.20.0.15")
    assert told(building_a) == ["10.20.0.15", "2001:db8::15"]


def test_cards_that_are_in_no_configuration_come_before_those_of_containers(building_a: Lab):
    with_agent(building_a, 102, "fe80::1")
    building_a.pve.guest(102).inner_cards = (
        ("docker0", "02:42:ac:11:00:01", ("172.17.0.1",)),
        ("bond0", "52:54:00:01:02:03", ("10.20.0.15",)),
    )
    assert told(building_a) == ["10.20.0.15", "172.17.0.1"]


def test_a_container_tells_its_configured_card_first_too(building_a: Lab):
    guest = building_a.pve.guest(103)
    guest.status, guest.addresses = "running", ("10.20.0.16",)
    guest.inner_cards = (("docker0", "02:42:ac:11:00:01", ("172.17.0.1",)),)
    building_a.sync()
    assert told(building_a, 103) == ["10.20.0.16", "172.17.0.1"]
