"""How many are let through at once, also within one and the same look."""

import pytest

from accounts.models import User
from tests.labs import Lab
from vms import operations
from vms.models import ClusterSync, Operation

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(building_a: Lab, ana: User) -> Lab:
    """Four machines of pve1 and one of pve2 that are to be started."""
    for vmid in (111, 112, 113):
        building_a.pve.add_guest(vmid, node="pve1")
    building_a.sync()
    for vmid in (101, 111, 112, 113, 104):
        operations.request(building_a.give(vmid, ana), "start", by=ana)
    return building_a


def under_way() -> list[str]:
    return sorted(Operation.objects.under_way().values_list("node", flat=True))


@pytest.mark.parametrize(("node", "cluster", "admitted"), [(1, 9, 2), (2, 9, 3), (9, 3, 3), (9, 9, 5)])
def test_one_look_lets_no_more_through_than_node_and_cluster_bear(waiting: Lab, node: int, cluster: int, admitted: int):
    ClusterSync.objects.update(node_limit=node, cluster_limit=cluster)
    assert operations.admit("building-a") == admitted
    assert under_way().count("pve1") <= node
    assert len(under_way()) == admitted


def test_what_was_let_through_before_counts_too(waiting: Lab):
    ClusterSync.objects.update(node_limit=1, cluster_limit=9)
    assert [operations.admit("building-a") for _ in range(2)] == [2, 0]
    assert under_way() == ["pve1", "pve2"]
