"""Testing a connection: each address that was entered is tried, and each problem is told with its address."""

import pytest

from clusters import connection_test
from clusters.models import Cluster
from tests.labs import Lab, building_a, clock, sim

__all__ = ["building_a", "clock", "sim"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(building_a: Lab) -> Cluster:
    """One fingerprint is pinned, and two addresses are entered."""
    row = building_a.row
    row.fingerprint = building_a.pve.fingerprint("pve1")
    row.addresses = f"127.0.0.1:{building_a.pve.ports['pve2']}"
    row.save()
    return row


def test_an_address_with_another_certificate_is_named_while_both_answer(building_a: Lab, row: Cluster):
    result = connection_test.run(row.config)
    assert result.ok
    (warning,) = [warning for warning in result.warnings if warning.startswith("Address")]
    assert warning.startswith(f"Address {row.addresses}: The certificate changed from")
    assert building_a.pve.fingerprint("pve2") in warning


def test_the_other_address_is_named_when_the_first_is_down(building_a: Lab, row: Cluster):
    building_a.pve.stop_node("pve1")
    result = connection_test.run_and_record(row.config)
    assert not result.ok
    assert "refuses connections" in result.told
    assert f"{row.addresses} responds, but its certificate is not trusted" in result.told
    row.health.refresh_from_db()
    assert row.addresses in row.health.rendered_problem
    assert [warning.split(": ")[0] for warning in result.warnings] == [
        f"Address 127.0.0.1:{row.port}",
        f"Address {row.addresses}",
    ]


def test_addresses_that_all_answer_are_not_mentioned(building_a: Lab, row: Cluster):
    row.fingerprint = f"{row.fingerprint}, {building_a.pve.fingerprint('pve2')}"
    row.save()
    assert not [warning for warning in connection_test.run(row.config).warnings if warning.startswith("Address")]


def test_addresses_that_the_cluster_told_itself_are_not_tried(building_a: Lab, row: Cluster):
    Cluster.objects.filter(pk=row.pk).update(addresses="", learned_addresses=["127.0.0.2"])
    row.refresh_from_db()
    assert not [warning for warning in connection_test.run(row.config).warnings if warning.startswith("Address")]
