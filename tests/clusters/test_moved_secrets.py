"""A stored secret never goes to a place that it was not entered for, whatever file is imported."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import User
from clusters.importing import Options, import_content
from clusters.models import Cluster, PendingImport

pytestmark = pytest.mark.django_db

ALL = Options(update=True, update_secrets=True)
EVIL = {"id": "core", "host": "evil.test", "user": "portal@pve"}


@pytest.fixture
def core() -> Cluster:
    return Cluster.objects.create(
        cluster_id="core", name="Core", host="a.test", user="portal@pve", password="stored",
        token_id="portal@pve!labs", token_secret="stored-too", verify_ssl=True, addresses="b.test",
        read_token_id="portal@pve!look", read_token_secret="stored-as-well",
    )  # fmt: skip


def update(**entry: Any) -> Cluster:
    import_content(json.dumps([EVIL | entry]).encode(), source="clusters.json", options=ALL)
    return Cluster.objects.get()


def test_a_token_does_not_move_with_a_password_of_the_file(core: Cluster) -> None:
    moved = update(password="x")
    assert (moved.host, moved.token_id, moved.token_secret) == ("evil.test", "", None)


def test_a_password_does_not_move_with_a_token_of_the_file(core: Cluster) -> None:
    moved = update(token_id="portal@pve!mine", token_secret="x")
    assert moved.host == "evil.test"
    assert moved.password is None


def test_a_read_only_token_does_not_move_with_a_password_of_the_file(core: Cluster) -> None:
    moved = update(password="x")
    assert (moved.host, moved.read_token_id, moved.read_token_secret) == ("evil.test", "", None)


def test_a_further_address_moves_a_cluster(core: Cluster) -> None:
    moved = update(host="a.test", password="x", addresses=["evil.test"])
    assert (moved.addresses, moved.token_secret, moved.read_token_secret) == ("evil.test", None, None)


def test_another_host_does_not_keep_the_addresses_of_the_old_one(core: Cluster) -> None:
    assert update(password="x").addresses == ""


def test_a_file_without_addresses_leaves_those_of_the_same_host(core: Cluster) -> None:
    assert update(host="a.test", password="other").addresses == "b.test"


def test_a_cluster_that_stays_keeps_what_the_file_lacks(core: Cluster) -> None:
    kept = update(host="a.test", password="stored", name="Renamed")
    assert kept.name == "Renamed"
    assert kept.token_secret.reveal() == "stored-too"
    assert kept.read_token_secret.reveal() == "stored-as-well"


def test_the_plan_says_that_a_secret_goes(core: Cluster) -> None:
    content = json.dumps([EVIL | {"password": "x"}]).encode()
    plan = import_content(content, source="clusters.json", options=ALL)
    assert any("removed" in str(change.after) for change in plan.rows[0].changes if change.field == "token_secret")


@pytest.mark.parametrize("secret", ["sealed", "typed"])
def test_sealed_text_is_not_taken_from_an_upload(client: Client, lab_admin: User, core: Cluster, secret: str) -> None:
    password = {"sealed": core.password.encrypted()} if secret == "sealed" else "typed"
    entry = {"id": "mine", "host": "evil.test", "user": "a@pve", "password": password}
    client.force_login(lab_admin)
    upload = SimpleUploadedFile("clusters.json", json.dumps([entry]).encode())
    page = client.post(reverse("admin:clusters_cluster_import"), {"upload": upload}).content.decode()
    assert ("Encrypted passwords are not accepted in an upload" in page) is (secret == "sealed")
    assert PendingImport.objects.exists() is (secret == "typed")
