"""Who only looks has neither the verbs nor, if there is another one, the token to change anything."""

from dataclasses import replace

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.cluster import Cluster

WRITE_VERBS = {
    "power",
    "create_snapshot",
    "roll_back",
    "delete_snapshot",
    "vnc_proxy",
    "console_endpoint",
    "spice",
    "stop_at_once",
}


@pytest.fixture
def with_two(config: ClusterConfig, lab: Cluster) -> ClusterConfig:
    reader = lab.add_token("portal@pve", "inventory", acl={"/": "PVEAuditor"})
    return replace(config, read_token_id=reader.full_id, read_token_secret=Secret(reader.secret))


def test_reading_takes_the_token_for_it(with_two: ClusterConfig, lab: Cluster) -> None:
    with proxmox.read(with_two) as pve:
        assert pve.resources().guests
    with proxmox.connect(with_two) as pve:
        pve.version()
    assert [request.identity for request in lab.requests] == ["portal@pve!inventory", "portal@pve!labs"]


def test_reading_takes_the_other_credential_when_there_is_no_such_token(
    config: ClusterConfig, by_password: ClusterConfig, lab: Cluster
) -> None:
    for one in (config, by_password):
        with proxmox.read(one) as pve:
            pve.version()
    assert [request.identity for request in lab.requests if request.path == "/version"] == [
        "portal@pve!labs",
        "portal@pve",
    ]


def test_a_reader_has_no_verb_that_changes_anything(config: ClusterConfig) -> None:
    with proxmox.read(config) as pve:
        assert type(pve) is proxmox.Reader
        assert not [verb for verb in WRITE_VERBS if hasattr(pve, verb)]


def test_the_list_of_verbs_is_whole() -> None:
    public = {name for name in vars(proxmox.Client) if not name.startswith("_")}
    assert public == WRITE_VERBS


def test_a_reader_sends_nothing_but_questions(with_two: ClusterConfig, lab: Cluster) -> None:
    with proxmox.read(with_two) as pve:
        pve.version(), pve.resources(), pve.pools(), pve.permissions(), pve.next_id()
        pve.guest_config("pve1", "qemu", 101), pve.snapshots("pve1", "qemu", 101)
    assert {request.method for request in lab.requests} == {"GET"}


def test_both_credentials_have_sessions_of_their_own(with_two: ClusterConfig) -> None:
    with proxmox.connect(with_two) as pve:
        session = pve._session
    with proxmox.read(with_two) as pve:
        assert pve._session is not session


def test_a_token_for_reading_that_is_not_whole_is_none(config: ClusterConfig, lab: Cluster) -> None:
    with proxmox.read(replace(config, read_token_id="portal@pve!x")) as pve:
        pve.version()
    assert lab.requests[-1].identity == "portal@pve!labs"
