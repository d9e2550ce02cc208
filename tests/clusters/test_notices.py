"""What administrators tell the people of a cluster, and when it is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from clusters.models import Cluster, ClusterNotice

pytestmark = pytest.mark.django_db

LIST = "/admin/clusters/clusternotice/"


@pytest.fixture
def cluster() -> Cluster:
    made: Cluster = Cluster.objects.create(cluster_id="a", name="A", host="a.test", user="p@pve", password="x")
    return made


@pytest.mark.parametrize(
    ("begin", "end", "is_shown"),
    [(None, None, True), (-1, None, True), (1, None, False), (None, 1, True), (None, -1, False), (-2, -1, False)],
)
def test_a_notice_is_shown_from_its_beginning_to_its_end(cluster: Cluster, begin: Any, end: Any, is_shown: bool):
    at = [timezone.now() + timedelta(hours=hours) if hours else None for hours in (begin, end)]
    ClusterNotice.objects.create(cluster=cluster, text="Serviced", shown_from=at[0], shown_until=at[1])
    assert ClusterNotice.objects.now().exists() == is_shown


def test_a_notice_that_ends_before_it_begins_is_refused(client: Client, cluster: Cluster, lab_admin: User):
    client.force_login(lab_admin)
    times = {"shown_from": "2027-01-02T10:00", "shown_until": "2027-01-01T10:00"}
    assert (
        b"must be after the start" in client.post(f"{LIST}add/", {"cluster": cluster.pk, "text": "x", **times}).content
    )


def test_the_times_of_a_notice_are_those_of_the_person(client: Client, cluster: Cluster, lab_admin: User):
    User.objects.filter(pk=lab_admin.pk).update(time_zone="Asia/Tokyo")
    client.force_login(lab_admin)
    client.post(f"{LIST}add/", {"cluster": cluster.pk, "text": "x", "shown_from": "2027-01-02T10:00"})
    notice = ClusterNotice.objects.get()
    assert notice.shown_from == datetime(2027, 1, 2, 1, tzinfo=UTC)
    assert 'value="2027-01-02T10:00"' in client.get(f"{LIST}{notice.pk}/change/").content.decode()


def test_a_lab_administrator_writes_a_notice(client: Client, cluster: Cluster, lab_admin: User):
    client.force_login(lab_admin)
    assert client.post(f"{LIST}add/", {"cluster": cluster.pk, "text": "Serviced on Friday"}).status_code == 302
    assert ClusterNotice.objects.now().get().text == "Serviced on Friday"


def test_an_auditor_reads_notices_alone(client: Client, cluster: Cluster, auditor: User):
    client.force_login(auditor)
    assert client.get(LIST).status_code == 200
    assert client.post(f"{LIST}add/", {"cluster": cluster.pk, "text": "x"}).status_code == 403


def test_a_cluster_goes_with_its_notices(client: Client, cluster: Cluster, lab_admin: User):
    ClusterNotice.objects.create(cluster=cluster, text="x")
    client.force_login(lab_admin)
    client.post(f"/admin/clusters/cluster/{cluster.pk}/delete/", {"post": "yes"})
    assert not Cluster.objects.exists()
