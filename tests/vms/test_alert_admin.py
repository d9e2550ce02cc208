"""Alerts in the admin: to be read."""

import pytest
from django.test import Client

from accounts.models import User
from tests.labs import Lab, ago
from vms.models import Alert, AlertMessage


@pytest.fixture
def alert(building_a: Lab) -> Alert:
    alert = Alert.objects.create(
        cluster=building_a.row, kind="cluster_down", text="It is off.", since=ago(hours=1), seen_at=ago(hours=1)
    )
    alert.open(ago(minutes=50), text="It is off.", since=ago(hours=1), channels=["mail"])
    return alert


@pytest.mark.django_db
def test_staff_read_alerts_and_their_messages(client: Client, auditor: User, alert: Alert):
    client.force_login(auditor)
    assert b"It is off." in client.get("/admin/vms/alert/").content
    assert b"waiting" in client.get(f"/admin/vms/alert/{alert.pk}/change/").content
    assert client.post(f"/admin/vms/alert/{alert.pk}/change/", {"text": "x"}).status_code == 403
    assert client.post(f"/admin/vms/alert/{alert.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_alerts_go_with_their_cluster(client: Client, lab_admin: User, building_b: Lab, alert: Alert):
    client.force_login(lab_admin)
    client.post(f"/admin/clusters/cluster/{alert.cluster.pk}/delete/", {"post": "yes"})
    assert not AlertMessage.objects.exists()
