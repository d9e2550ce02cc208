"""The token for looking only: what it is used for, and what happens when it is rejected."""

import json
from collections.abc import Iterator

import pytest
from encrypted_model_fields import fields

import pvesim
from accounts.encrypted_fields import Secret
from clusters import connection_test, gateway, proxmox
from clusters.models import Cluster, ClusterHealth, LoginState
from tests.labs import add_cluster, clock, sim, simulated
from vms import inventory

__all__ = ["clock", "sim"]

pytestmark = pytest.mark.django_db

GONE = "The cluster rejected the portal's read-only token"


@pytest.fixture
def pve(sim: pvesim.Simulator) -> Iterator[pvesim.Cluster]:
    cluster = simulated(sim)
    cluster.add_guest(101, name="net-01")
    yield cluster
    sim.remove_cluster(cluster.name)


@pytest.fixture
def row(pve: pvesim.Cluster) -> Cluster:
    reader = pve.add_token("portal@pve", "look", acl={"/": "PVEAuditor"})
    return add_cluster(pve, "lab", read_token_id=reader.full_id, read_token_secret=reader.secret)


def reject(pve: pvesim.Cluster, name: str) -> None:
    pve.faults.token_revoked(f"portal@pve!{name}")


def askers(pve: pvesim.Cluster) -> list[str | None]:
    return [request.identity for request in pve.requests]


def look(row: Cluster) -> None:
    with gateway.read(row.config) as reader:
        reader.version()


def power(row: Cluster) -> None:
    with gateway.connect(row.config) as client:
        client.power("pve1", "qemu", 101, proxmox.Power.START)


def test_the_inventory_looks_with_the_read_only_token(pve: pvesim.Cluster, row: Cluster) -> None:
    inventory.sync(row.config)
    assert row.machines.count() == 1
    assert set(askers(pve)) == {"portal@pve!look"}


def test_power_takes_the_other_credential(pve: pvesim.Cluster, row: Cluster) -> None:
    power(row)
    assert askers(pve) == ["portal@pve!labs"]


def test_a_rejected_read_only_token_is_named_and_replaced_by_nothing(pve: pvesim.Cluster, row: Cluster) -> None:
    reject(pve, "look")
    with pytest.raises(proxmox.LoginRejected, match=GONE):
        look(row)
    with pytest.raises(proxmox.LoginRejected, match=f"{GONE}, so the portal does not try it again"):
        look(row)
    assert pve.count("GET", "^/version$") == 1


def test_a_rejected_read_only_token_leaves_the_other_credential_usable(pve: pvesim.Cluster, row: Cluster) -> None:
    reject(pve, "look")
    with pytest.raises(proxmox.LoginRejected):
        look(row)
    power(row)
    assert pve.requests[-1].identity == "portal@pve!labs"


def test_a_rejected_credential_leaves_the_read_only_token_usable(pve: pvesim.Cluster, row: Cluster) -> None:
    reject(pve, "labs")
    with pytest.raises(proxmox.LoginRejected, match="rejected the portal's credential"):
        power(row)
    look(row)
    with pytest.raises(proxmox.LoginRejected, match="does not try it again"):
        power(row)


def test_a_token_that_is_accepted_clears_only_its_own_rejection(row: Cluster) -> None:
    LoginState.objects.create(cluster=row, rejected_version=0, rejected_read_version=0)
    look(row)
    state = LoginState.objects.get()
    assert (state.rejected_version, state.rejected_read_version) == (0, None)


def test_looking_ends_nobodys_turn_to_log_in(row: Cluster) -> None:
    LoginState.objects.create(cluster=row, busy_until=row.created_at)
    look(row)
    assert LoginState.objects.get().busy_until == row.created_at


def test_a_new_read_only_token_is_tried(pve: pvesim.Cluster, row: Cluster) -> None:
    LoginState.objects.create(cluster=row, rejected_read_version=row.credential_version)
    other = pve.add_token("portal@pve", "look2", acl={"/": "PVEAuditor"})
    row.read_token_id, row.read_token_secret = other.full_id, other.secret
    row.save(update_fields=["read_token_id", "read_token_secret"])
    look(row)
    assert askers(pve) == ["portal@pve!look2"]


def test_trying_the_connection_tries_both(pve: pvesim.Cluster, row: Cluster) -> None:
    assert connection_test.run(row.config).ok
    assert set(askers(pve)) == {"portal@pve!labs", "portal@pve!look"}


def test_trying_the_connection_says_which_one_is_rejected(pve: pvesim.Cluster, row: Cluster) -> None:
    reject(pve, "look")
    result = connection_test.run(row.config)
    assert result.text.startswith(GONE)
    assert result.accepted == (row.config,)


def test_a_new_read_only_token_counts_as_a_new_secret(row: Cluster) -> None:
    before = row.credential_version
    row.read_token_secret = "another"
    row.save(update_fields=["read_token_secret"])
    assert Cluster.objects.get().credential_version == before + 1
    Cluster.objects.update(read_token_secret="a third")
    assert Cluster.objects.get().credential_version == before + 2


@pytest.mark.parametrize("part", ["reason", "body"])
@pytest.mark.parametrize("secret", ["password", "token_secret", "read_token_secret"])
def test_a_secret_told_at_another_time_is_not_repeated(
    pve: pvesim.Cluster, row: Cluster, caplog: pytest.LogCaptureFixture, secret: str, part: str
) -> None:
    caplog.set_level("DEBUG")
    row.password = "kept for later"
    row.save(update_fields=["password"])
    told = getattr(row, secret).reveal()
    said = {"reason": f"boom {told} boom"} if part == "reason" else {"body": json.dumps({"errors": {"x": told}})}
    pve.faults.reply(".", 500, **said)
    inventory.sync(Cluster.objects.get().config)
    health = ClusterHealth.objects.get()
    assert "***" in health.problem if part == "reason" else health.problem
    assert told not in f"{health.problem} {caplog.text}"


def test_an_unreadable_credential_does_not_hide_what_the_cluster_says(pve: pvesim.Cluster, row: Cluster) -> None:
    pve.faults.reply(".", 500, "boom")
    row.token_secret = Secret(ciphertext="no ciphertext")
    with pytest.raises(proxmox.Refused, match="boom"):
        look(row)


def test_an_answer_without_an_error_opens_no_other_secret(row: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    decrypt = fields.decrypt_str
    monkeypatch.setattr(fields, "decrypt_str", lambda text: opened.append(text) or decrypt(text))
    fresh = Cluster.objects.get()
    look(fresh)
    assert opened == [fresh.read_token_secret.encrypted()]
