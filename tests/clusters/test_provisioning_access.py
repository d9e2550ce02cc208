"""The access for making machines: a token of its own, which goes to one place, is tried once, and never comes out."""

from collections.abc import Iterator

import pytest
from auditlog.models import LogEntry
from django.test import Client
from django.urls import reverse

import pvesim
from accounts.models import User
from clusters import gateway, keys, proxmox
from clusters.models import Cluster, ProvisioningAccess
from tests.marker_secret import MarkerSecret

pytestmark = pytest.mark.django_db
ADD = "admin:clusters_provisioningaccess_add"
CHANGE = "admin:clusters_provisioningaccess_change"


@pytest.fixture
def pve() -> Iterator[pvesim.Cluster]:
    with pvesim.Simulator(seed=1) as simulator:
        cluster = simulator.add_cluster("lab", nodes=("pve1",), statd_interval=0.0)
        cluster.add_user("portal@pve", password="right", acl={"/": "Administrator"})
        yield cluster


@pytest.fixture
def row(pve: pvesim.Cluster) -> Cluster:
    main = pve.add_token("portal@pve", "labs", privsep=False)
    return Cluster.objects.create(
        cluster_id="lab", name="Lab", host=pve.host, port=pve.port, user="portal@pve", ca_certificate=pve.ca_pem,
        token_id=main.full_id, token_secret=main.secret,
    )  # fmt: skip


@pytest.fixture
def access(pve: pvesim.Cluster, row: Cluster) -> ProvisioningAccess:
    token = pve.add_token("portal@pve", "making", privsep=False)
    return ProvisioningAccess.objects.create(
        cluster=row, is_enabled=True, token_id=token.full_id, token_secret=token.secret
    )


def ask(row: Cluster) -> str:
    with gateway.make(row.config) as maker:
        return maker.version().version


def test_it_speaks_by_its_own_token(pve: pvesim.Cluster, row: Cluster, access: ProvisioningAccess):
    pve.clear_requests()
    assert ask(row).startswith("9")
    assert {one.identity for one in pve.requests} == {"portal@pve!making"}


@pytest.mark.parametrize("off", ["switched off", "without a token", "cluster not active", "no row"])
def test_nothing_is_made_without_it(pve: pvesim.Cluster, row: Cluster, access: ProvisioningAccess, off: str):
    if off == "switched off":
        ProvisioningAccess.objects.update(is_enabled=False)
    elif off == "without a token":
        ProvisioningAccess.objects.update(token_secret=None)
    elif off == "cluster not active":
        row.deactivate()
    else:
        access.delete()
    pve.clear_requests()
    with pytest.raises(proxmox.MakingIsOff):
        ask(row)
    assert pve.requests == []


def test_a_rejected_token_is_tried_once_until_it_is_entered_again(
    pve: pvesim.Cluster, row: Cluster, access: ProvisioningAccess
):
    access.token_secret = "wrong"
    access.save()
    pve.clear_requests()
    for _ in range(3):
        with pytest.raises(proxmox.LoginRejected, match="token for making machines"):
            ask(row)
    assert len(pve.requests) == 1
    with gateway.connect(row.config) as client:
        assert client.version()  # the other credential is as good as before
    access.token_secret = pve.token("portal@pve!making").secret
    access.save()
    assert ask(row)


@pytest.mark.parametrize(("name", "value"), [("host", "evil.test"), ("port", 9999), ("fingerprint", "AA" * 32)])
def test_it_does_not_go_to_another_place(row: Cluster, access: ProvisioningAccess, name: str, value: object):
    setattr(row, name, value)
    row.save(update_fields=[name])
    access.refresh_from_db()
    assert (access.token_id, access.token_secret, access.is_enabled) == ("", None, False)


def test_another_name_of_the_cluster_leaves_it(row: Cluster, access: ProvisioningAccess):
    row.name = "Renamed"
    row.save(update_fields=["name"])
    access.refresh_from_db()
    assert access.is_enabled


def test_keys_count_and_rotate_it(row: Cluster, access: ProvisioningAccess):
    before = keys.count()[0]
    access.delete()
    assert keys.count()[0] == before - 1


# The form


def test_a_token_goes_in_and_never_comes_out(client: Client, row: Cluster):
    client.force_login(User.objects.create_superuser("admin"))
    secret = MarkerSecret("making")
    sent = {"cluster": row.pk, "is_enabled": "on", "new_token": f"portal@pve!making={secret.text}"}
    assert client.post(reverse(ADD), sent).status_code == 302
    access = ProvisioningAccess.objects.get()
    assert (access.token_id, access.token_secret.reveal()) == ("portal@pve!making", secret.text)
    page = client.get(reverse(CHANGE, args=[access.pk])).content.decode()
    assert "portal@pve!making" in page
    assert secret.text not in page + str(list(LogEntry.objects.values()))
    assert client.post(reverse(CHANGE, args=[access.pk]), {"is_enabled": "on"}).status_code == 302
    access.refresh_from_db()
    assert access.token_secret.reveal() == secret.text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"is_enabled": "on"}, "Enter a token"),
        ({"is_enabled": "on", "new_token": "portal@pve!labs=secret"}, "already uses this token"),
    ],
)
def test_it_is_enabled_with_a_token_of_its_own_alone(client: Client, row: Cluster, sent: dict[str, str], said: str):
    client.force_login(User.objects.create_superuser("admin"))
    answer = client.post(reverse(ADD), {"cluster": row.pk, **sent})
    assert said in answer.content.decode()
    assert not ProvisioningAccess.objects.exists()
