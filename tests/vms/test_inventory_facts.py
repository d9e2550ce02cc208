"""What changes seldom about a cluster: its version, its quorum, and where its nodes are."""

from types import SimpleNamespace

import pytest

from clusters.models import Cluster, ClusterHealth
from tests.labs import Lab
from vms import inventory
from vms.models import ClusterSync
from vms.worker import tasks

pytestmark = pytest.mark.django_db


def test_the_version_of_a_cluster_and_its_quorum_are_asked_for(building_a: Lab):
    inventory.read_facts(building_a.config)
    assert ClusterHealth.objects.get().version == building_a.pve.release.version
    assert ClusterSync.objects.get().quorate is True


def test_a_lost_quorum_is_known(building_a: Lab):
    building_a.pve.lose_quorum()
    inventory.read_facts(building_a.config)
    assert ClusterSync.objects.get().quorate is False


def test_where_the_nodes_are_is_learned(building_a: Lab):
    inventory.read_facts(building_a.config)
    assert Cluster.objects.get().learned_addresses


def test_after_a_change_of_addresses_they_are_learned_again_at_once(building_a: Lab, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    monkeypatch.setattr(tasks, "ask_facts", SimpleNamespace(enqueue=asked.append))
    cluster = Cluster.objects.get()
    cluster.addresses = "10.0.0.9"
    cluster.save(update_fields=["addresses"])
    assert asked == ["building-a"]


def test_an_account_that_may_not_know_the_quorum_does_not(building_a: Lab):
    ClusterSync.objects.update(quorate=True)
    building_a.pve.revoke("/", "portal@pve")
    inventory.read_facts(building_a.config)
    assert (ClusterSync.objects.get().quorate, bool(ClusterHealth.objects.get().version)) == (None, True)


def test_a_cluster_that_does_not_answer_keeps_its_facts(building_a: Lab):
    inventory.read_facts(building_a.config)
    building_a.pve.stop()
    inventory.read_facts(building_a.config)
    assert ClusterHealth.objects.get().version
    assert ClusterSync.objects.get().quorate is True
