"""/metrics: who may read it, and what it tells."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from clusters.models import ClusterHealth
from labportal.version import VERSION
from tests.labs import Lab, add_cluster, ago, queries, simulated
from vms import operations
from vms.models import Alert, ClusterSync, Operation, WorkerBeat
from vms.monitoring import credential_expiry

pytestmark = pytest.mark.django_db

ADDRESS = "/metrics"
TOKEN = "scrape-me-9f2c"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape(client: Client) -> Samples:
    answer = client.get(ADDRESS, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name.removeprefix("labportal_"), frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


# Who


def test_without_a_token_in_the_settings_there_are_no_metrics(client: Client, settings: Any):
    settings.METRICS_TOKEN = ""
    assert client.get(ADDRESS, headers={"Authorization": "Bearer "}).status_code == 404


WRONG = ["", TOKEN, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"]


@pytest.mark.parametrize("given", WRONG)
def test_a_wrong_token_is_refused(client: Client, given: str):
    answer = client.get(ADDRESS, headers={"Authorization": given})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_session_is_no_token(client: Client, admin: User):
    client.force_login(admin)
    assert client.get(ADDRESS).status_code == 401


def test_the_token_is_not_written_down(client: Client, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        scrape(client)
        client.get(ADDRESS, headers={"Authorization": f"Bearer {TOKEN}x"})
    assert TOKEN not in caplog.text


# What


def test_a_cluster_that_answers(client: Client, building_a: Lab):
    ClusterSync.objects.update(quorate=True, milliseconds=250, failures=0, synced_at=ago(seconds=100))
    found = scrape(client)
    names = ["up", "latency_seconds", "failures", "breaker_open", "quorate"]
    assert [value(found, f"cluster_{name}", cluster="building-a") for name in names] == [1, 0.25, 0, 0, 1]
    age = value(found, "cluster_last_success_age_seconds", cluster="building-a")
    assert age is not None
    assert 100 <= age < 110


def test_a_cluster_that_does_not(client: Client, building_a: Lab):
    ClusterHealth.failed("building-a", "down")
    ClusterSync.objects.update(failures=4, quorate=None)
    found = scrape(client)
    names = ["up", "failures", "breaker_open", "quorate"]
    assert [value(found, f"cluster_{name}", cluster="building-a") for name in names] == [0, 4, 1, None]


def test_machines_by_status(client: Client, building_a: Lab):
    found = scrape(client)
    assert value(found, "machines", cluster="building-a", status="stopped") == 3
    assert value(found, "machines", cluster="building-a", status="running") == 1


def test_open_operations(client: Client, building_a: Lab, ana: User):
    assert value(scrape(client), "operations_oldest_waiting_seconds") == 0
    operations.request(building_a.assign(101, ana), "start", by=ana)
    Operation.objects.update(requested_at=ago(seconds=90))
    found = scrape(client)
    assert value(found, "operations_open", state="requested", action="start") == 1
    assert (value(found, "operations_oldest_waiting_seconds") or 0) >= 90


def test_finished_operations_of_the_last_hour(client: Client, building_a: Lab, ana: User):
    for vmid, minutes in ((101, 5), (104, 90)):
        operation, _ = operations.request(building_a.assign(vmid, ana), "start", by=ana)
        Operation.objects.filter(pk=operation.pk).update(
            state="failed", admitted_at=timezone.now(), finished_at=ago(minutes=minutes)
        )
    assert value(scrape(client), "operations_finished_last_hour", outcome="failed") == 1


def test_workers(client: Client):
    assert value(scrape(client), "workers") == 0
    WorkerBeat.objects.create(name="alive")
    WorkerBeat.objects.create(name="dead", seen_at=ago(minutes=5))
    found = scrape(client)
    assert value(found, "workers") == 1
    assert (value(found, "worker_last_seen_seconds") or 0) < 10


def test_alerts_version_and_source(client: Client, building_a: Lab):
    Alert.objects.create(cluster=building_a.row, kind="cluster_down", text="x", since=ago(hours=1),
                         seen_at=ago(hours=1), opened_at=ago(hours=1))  # fmt: skip
    found = scrape(client)
    assert value(found, "alerts", cluster="building-a", kind="cluster_down") == 1
    assert value(found, "info", version=VERSION) == 1
    assert value(found, "fallback", source="database") == 0


def test_no_host_and_no_name(client: Client, building_a: Lab):
    text = client.get(ADDRESS, headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    assert "building-a" in text
    assert not [part for part in ("127.0.0.1", "Building A", "net-01", "portal@pve") if part in text]


def test_the_number_of_queries_does_not_grow(client: Client, building_a: Lab, sim: Any):
    scrape(client)
    with queries() as of_one:
        scrape(client)
    pve = simulated(sim)
    Lab(pve, add_cluster(pve, "building-b"), building_a.clock).sync()
    Operation.objects.all().delete()
    with queries() as of_two:
        scrape(client)
    sim.remove_cluster(pve.name)
    assert len(of_one) == len(of_two)


def test_a_token_that_ends(client: Client, building_a: Lab):
    expire = int((timezone.now() + timedelta(days=3)).timestamp())
    building_a.pve.accounts.tokens[building_a.row.token_id].expire = expire
    credential_expiry.update_due()
    left = value(scrape(client), "cluster_credential_ends_seconds", cluster="building-a")
    assert left is not None
    assert 250_000 < left < 260_000
