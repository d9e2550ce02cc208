"""What a file does not mention is no wish: an update leaves it as it is."""

import json

import pytest

from clusters.importing import Options, import_content
from clusters.models import Cluster

pytestmark = pytest.mark.django_db

ALL = Options(update=True, update_secrets=True)
OLD_FILE = {"id": "alpha", "host": "new.test", "user": "p@pve", "password": "x"}


def update(**more: object) -> Cluster:
    import_content(json.dumps([OLD_FILE | more]).encode(), source="clusters.json", options=ALL)
    return Cluster.objects.get()


@pytest.fixture(autouse=True)
def alpha() -> Cluster:
    return Cluster.objects.create(
        cluster_id="alpha", name="Alpha", host="a.test", port=8007, user="p@pve", password="x", verify_ssl=True,
        is_active=False, fingerprint=":".join(["AB"] * 32),
    )  # fmt: skip


def test_what_is_mentioned_is_taken_over() -> None:
    assert update().host == "new.test"


def test_a_cluster_that_was_switched_off_stays_off() -> None:
    assert not update().is_active


def test_the_trust_in_its_certificate_stays() -> None:
    after = update()
    assert (after.verify_ssl, after.fingerprint) == (True, ":".join(["AB"] * 32))


def test_name_and_port_stay() -> None:
    after = update()
    assert (after.name, after.port) == ("Alpha", 8007)


def test_what_is_mentioned_as_off_is_off() -> None:
    assert not update(verify_ssl=False).verify_ssl
    assert update(is_active=True).is_active
