"""Several addresses of a stored cluster: given ones, and those that the cluster tells of itself."""

from collections.abc import Iterator

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse

import pvesim
from accounts.models import User
from clusters import addresses, gateway, proxmox
from clusters.models import Cluster
from tests.labs import add_cluster, clock, sim, simulated

__all__ = ["clock", "sim"]

pytestmark = pytest.mark.django_db

NODES = ["10.77.0.11", "10.77.0.12"]


@pytest.fixture
def pve(sim: pvesim.Simulator) -> Iterator[pvesim.Cluster]:
    cluster = simulated(sim, nodes=("pve1", "pve2"))
    yield cluster
    sim.remove_cluster(cluster.name)


@pytest.fixture
def row(pve: pvesim.Cluster) -> Cluster:
    """Trusted by its authority, which vouches for each node."""
    return add_cluster(pve, "lab", fingerprint="", ca_certificate=pve.ca_pem)


def status(*ips: str) -> proxmox.ClusterStatus:
    nodes = tuple(proxmox.NodeState(f"pve{n}", online=True, address=ip) for n, ip in enumerate(ips, start=1))
    return proxmox.ClusterStatus("lab", True, nodes)


def learned() -> list[str]:
    return Cluster.objects.get().learned_addresses


def try_out(client: Client, row: Cluster) -> None:
    data = {"action": "try_connection", "_selected_action": [row.pk]}
    client.post(reverse("admin:clusters_cluster_changelist"), data)


def asked(row: Cluster) -> str:
    with gateway.connect(Cluster.objects.get(pk=row.pk).config) as pve:
        pve.version()
        return pve.endpoint


# Asking elsewhere


def test_a_given_address_is_asked_when_the_host_is_dead(pve: pvesim.Cluster, row: Cluster) -> None:
    second = f"127.0.0.1:{pve.ports['pve2']}"
    Cluster.objects.update(addresses=second)
    pve.stop_node("pve1")
    assert asked(row) == second


def test_a_learned_address_is_asked_when_the_host_is_dead(pve: pvesim.Cluster, row: Cluster) -> None:
    port = pve.ports["pve2"]
    Cluster.objects.update(host="127.0.0.2", port=port, learned_addresses=["127.0.0.1"])  # nobody listens at .2
    assert asked(row) == f"127.0.0.1:{port}"


def test_without_trust_no_learned_address_is_asked(pve: pvesim.Cluster, row: Cluster) -> None:
    Cluster.objects.update(host="127.0.0.2", port=pve.ports["pve2"], learned_addresses=["127.0.0.1"], ca_certificate="")
    with pytest.raises(proxmox.ConnectionRefused):
        asked(row)
    assert pve.requests == []


def test_any_of_several_pins_will_do(pve: pvesim.Cluster, row: Cluster) -> None:
    second = f"127.0.0.1:{pve.ports['pve2']}"
    both = f"{pve.fingerprint('pve1')}\n{pve.fingerprint('pve2').lower()}"
    Cluster.objects.update(addresses=second, fingerprint=both)
    pve.stop_node("pve1")
    assert asked(row) == second


# Learning


def test_testing_the_connection_learns_the_addresses(client: Client, lab_admin: User, row: Cluster) -> None:
    client.force_login(lab_admin)
    try_out(client, row)
    assert learned() == NODES


def test_testing_without_trust_learns_nothing(client: Client, lab_admin: User, row: Cluster) -> None:
    Cluster.objects.update(ca_certificate="")
    client.force_login(lab_admin)
    try_out(client, row)
    assert Cluster.objects.get().health.ok
    assert learned() == []


def test_learning_is_no_change_of_settings_and_stands_in_the_trail_once(row: Cluster) -> None:
    before, entries = Cluster.objects.get(), LogEntry.objects.count()
    assert addresses.learn(row.config, status(*NODES))
    assert not addresses.learn(row.config, status(*reversed(NODES)))
    assert Cluster.objects.get().updated_at == before.updated_at
    assert LogEntry.objects.count() == entries + 1
    assert LogEntry.objects.first().changes == {"learned_addresses": ["", ", ".join(NODES)]}


def test_an_answer_without_addresses_forgets_nothing(row: Cluster) -> None:
    addresses.learn(row.config, status(*NODES))
    assert not addresses.learn(row.config, status("", "not-an-address"))
    assert learned() == NODES


def test_no_more_are_learned_than_the_gateway_asks(row: Cluster) -> None:
    addresses.learn(row.config, status(*[f"10.0.0.{n}" for n in range(1, 51)], "2001:db8::7"))
    assert len(learned()) == 31


def test_an_answer_to_older_settings_teaches_nothing(row: Cluster) -> None:
    old = row.config
    row.host = "moved.test"
    row.save(update_fields=["host", "updated_at"])
    assert not addresses.learn(old, status(*NODES))
    assert learned() == []


def test_a_configuration_that_is_not_stored_teaches_nothing(row: Cluster) -> None:
    config = row.config
    row.delete()
    assert not addresses.learn(config, status(*NODES))


@pytest.mark.parametrize("field", ["host", "addresses", "ca_certificate", "fingerprint", "user"])
def test_who_moves_a_cluster_forgets_what_it_said(row: Cluster, field: str) -> None:
    addresses.learn(row.config, status(*NODES))
    row.refresh_from_db()
    row.save(update_fields=[field])
    assert learned() == []


def test_who_renames_a_cluster_forgets_nothing(row: Cluster) -> None:
    addresses.learn(row.config, status(*NODES))
    row.name = "Renamed"
    row.save(update_fields=["name", "updated_at"])
    assert learned() == NODES
