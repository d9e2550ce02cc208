"""Small doors that were found open once."""

import asyncio
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory

from accounts import lockout
from accounts.models import User
from clusters.models import Cluster
from labportal.asgi import application

pytestmark = pytest.mark.django_db


def test_a_right_password_that_overtook_the_count_of_wrong_ones_is_refused(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, False])  # not locked before the password is computed, locked after it
    monkeypatch.setattr(lockout.AxesProxyHandler, "is_allowed", lambda *args: next(answers))
    request = RequestFactory().post("/accounts/login/", REMOTE_ADDR="192.0.2.7")
    assert authenticate(request, username="ana", password="correct horse battery") is None


def test_a_very_long_name_is_a_wrong_name(client: Client) -> None:
    answer = client.post("/accounts/login/", {"username": "a" * 60_000, "password": "x"})
    assert answer.status_code == 200
    assert "User name and password don" in answer.content.decode()


def test_a_form_where_json_is_expected_is_refused(client: Client, ana: User) -> None:
    client.force_login(ana)
    assert client.post("/api/switch-cluster", {"cluster_id": "a"}).status_code == 400


def test_a_websocket_is_refused_without_an_error() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application({"type": "websocket", "path": "/"}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_staff_without_a_right_see_no_clusters(client: Client) -> None:
    Cluster.objects.create(cluster_id="a", name="Alpha", host="a.test", user="p@pve", password="x")
    client.force_login(User.objects.create_user("idle", is_staff=True))
    assert client.get("/api/clusters").json()["clusters"] == []
    assert "Alpha" not in client.get("/vms/").content.decode()


def test_an_unknown_language_breaks_no_page(client: Client, ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(language="e\ns")
    client.force_login(ana)
    assert client.get("/vms/").status_code == 200


def test_pages_of_machines_are_not_kept_by_the_browser(client: Client, ana: User) -> None:
    client.force_login(ana)
    assert "no-store" in client.get("/vms/")["Cache-Control"]
