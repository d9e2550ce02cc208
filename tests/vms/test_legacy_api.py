"""The two calls that old scripts know."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.labs import Lab, queries, writes

pytestmark = pytest.mark.django_db

CLUSTERS, SWITCH = "/api/clusters", "/api/switch-cluster"
SECRET = "very-secret-pass-phrase"


@pytest.fixture
def as_ana(client: Client, ana: User, building_a: Lab, building_b: Lab) -> Client:
    """Ana has a machine on building B alone."""
    building_b.assign(101, ana)
    client.force_login(ana)
    return client


def clusters(client: Client) -> list[dict[str, Any]]:
    answer = client.get(CLUSTERS)
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    return answer.json()["clusters"]


def switch(client: Client, body: Any, **more: Any) -> Any:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(SWITCH, text, content_type="application/json", **more)


def remembered(client: Client) -> Any:
    return client.session.get("cluster_id")


# /api/clusters


def test_before_the_first_import_staff_get_the_clusters_of_the_file(client: Client, admin: User, settings: Any):
    settings.CLUSTERS = [{"id": "old", "name": "Old Lab", "host": "pve.test", "user": "u@pve", "password": SECRET}]
    client.force_login(admin)
    assert [one["id"] for one in clusters(client)] == ["old"]
    assert switch(client, {"cluster_id": "old"}).status_code == 200


def test_who_is_not_logged_in_gets_401_in_json(client: Client, building_a: Lab):
    answer = client.get(CLUSTERS)
    assert (answer.status_code, answer.json()) == (401, {"ok": False, "error": "Log in first."})


def test_a_student_gets_the_clusters_with_a_machine_of_her_own(as_ana: Client):
    assert clusters(as_ana) == [{"id": "building-b", "name": "Building B", "is_default": False}]


def test_a_student_without_machines_gets_none(client: Client, building_a: Lab, ben: User):
    client.force_login(ben)
    assert clusters(client) == []


@pytest.mark.parametrize("staff", ["auditor", "lab_admin", "admin"])
def test_staff_get_every_active_cluster_with_its_host(
    client: Client, request: pytest.FixtureRequest, building_a: Lab, building_b: Lab, staff: str
):
    client.force_login(request.getfixturevalue(staff))
    assert clusters(client) == [
        {"id": "building-a", "name": "Building A", "host": "127.0.0.1", "is_default": True},
        {"id": "building-b", "name": "Building B", "host": "127.0.0.1", "is_default": False},
    ]


def test_an_inactive_cluster_is_not_named(client: Client, admin: User, building_a: Lab, building_b: Lab):
    building_b.row.deactivate()
    client.force_login(admin)
    assert [cluster["id"] for cluster in clusters(client)] == ["building-a"]


def test_nobody_gets_a_credential(client: Client, admin: User, building_a: Lab):
    building_a.row.password = SECRET
    building_a.row.save()
    client.force_login(admin)
    text = client.get(CLUSTERS).content.decode()
    assert SECRET not in text
    assert building_a.row.token_secret.reveal() not in text
    assert "password" not in text


@pytest.mark.parametrize("method", ["post", "put", "delete", "head", "options"])
def test_the_clusters_are_only_asked_for(as_ana: Client, method: str):
    with queries() as seen:
        assert getattr(as_ana, method)(CLUSTERS).status_code == 405
    assert writes(seen) == []


def test_asking_asks_no_cluster(as_ana: Client, building_a: Lab, building_b: Lab):
    clusters(as_ana)
    assert (building_a.pve.count(), building_b.pve.count()) == (0, 0)


# /api/switch-cluster


def test_a_switch_is_remembered_and_the_list_opens_there(client: Client, admin: User, building_a: Lab, building_b: Lab):
    client.force_login(admin)
    answer = switch(client, {"cluster_id": "building-b"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "cluster_id": "building-b"})
    assert b"db-01" in client.get("/vms/").content


def test_a_switch_without_a_login_gets_401(client: Client, building_a: Lab):
    assert switch(client, {"cluster_id": "building-a"}).status_code == 401


@pytest.mark.parametrize(
    "wanted", ["nowhere", "building-a", "", "BUILDING-B", None, 1, True, ["building-b"], {"id": "building-b"}]
)
def test_a_cluster_that_one_cannot_use_is_refused(as_ana: Client, wanted: Any):
    answer = switch(as_ana, {"cluster_id": wanted})
    assert (answer.status_code, answer.json()) == (400, {"ok": False, "error": "Invalid cluster ID"})
    assert remembered(as_ana) is None


def test_an_inactive_cluster_is_refused(as_ana: Client, building_b: Lab):
    building_b.row.deactivate()
    assert switch(as_ana, {"cluster_id": "building-b"}).json()["error"] == "Invalid cluster ID"


@pytest.mark.parametrize("body", ["", "{", "cluster_id=building-b", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_json_is_refused(as_ana: Client, body: Any):
    answer = switch(as_ana, body)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)


@pytest.mark.parametrize("body", ["[]", "null", "1", '"building-b"', "{}", '{"cluster": "building-b"}'])
def test_json_without_a_cluster_is_refused(as_ana: Client, body: str):
    answer = switch(as_ana, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Invalid cluster ID")


def test_a_body_beyond_all_measure_is_refused(as_ana: Client):
    assert switch(as_ana, " " * (1024 * 1024 + 1)).status_code in {400, 413}


def test_a_switch_without_a_csrf_token_is_refused(ana: User, building_b: Lab):
    building_b.assign(101, ana)
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert switch(client, {"cluster_id": "building-b"}).status_code == 403
    assert remembered(client) is None


def test_a_switch_with_a_csrf_token_is_done(ana: User, building_b: Lab):
    building_b.assign(101, ana)
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    client.get("/vms/")
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert switch(client, {"cluster_id": "building-b"}, headers=token).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options"])
def test_a_switch_is_a_post(as_ana: Client, method: str):
    assert getattr(as_ana, method)(SWITCH).status_code == 405
    assert remembered(as_ana) is None


@pytest.mark.parametrize("right", ["view_cluster", "view_virtualmachine"])
def test_hosts_are_for_staff_who_may_look_at_clusters(client: Client, ben: User, building_a: Lab, right: str):
    ben.is_staff = True
    ben.save()
    ben.user_permissions.add(*Permission.objects.filter(codename__in={right, "view_virtualmachine"}))
    client.force_login(ben)
    assert ["host" in one for one in clusters(client)] == [right == "view_cluster"]


def test_hosts_are_not_for_who_has_the_right_and_is_no_staff(as_ana: Client, ana: User):
    ana.user_permissions.add(Permission.objects.get(codename="view_cluster"))
    assert ["host" in one for one in clusters(as_ana)] == [False]
