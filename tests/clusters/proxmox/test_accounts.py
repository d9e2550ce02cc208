"""Until when a user and the user's tokens are valid."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import results
from pvesim.cluster import Cluster

SOON, LATER = 1_900_000_000, 2_000_000_000


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def test_a_token_that_expires(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_token("portal@pve", "short", expire=SOON)
    account = pve.account("portal@pve")
    assert account.tokens == {"labs": None, "short": at(SOON)}
    assert (account.end_of("short"), account.end_of("labs")) == (at(SOON), None)


def test_a_token_ends_with_its_user(pve: proxmox.Client, lab: Cluster) -> None:
    lab.add_user("guest@pve", password="x", expire=SOON)
    lab.add_token("guest@pve", "long", expire=LATER)
    account = pve.account("guest@pve")
    assert [account.end_of("long"), account.end_of("")] == [at(SOON), at(SOON)]


def test_an_auditor_may_ask_by_token(lab: Cluster, config: ClusterConfig) -> None:
    lab.add_user("looker@pve", password="x", acl={"/": "PVEAuditor"})
    assert ask_as(lab, config, "looker@pve").tokens == {"own": None}


def test_a_token_may_not_ask_for_itself_without_the_privilege(lab: Cluster, config: ClusterConfig) -> None:
    lab.add_user("little@pve", password="x", acl={"/vms": "PVEAuditor"})
    with pytest.raises(proxmox.PermissionMissing):
        ask_as(lab, config, "little@pve")


def test_a_user_that_is_not_there(pve: proxmox.Client) -> None:
    with pytest.raises(proxmox.ProxmoxError):
        pve.account("nobody@pve")


@pytest.mark.parametrize("row", [{}, {"expire": 0, "tokens": None}, {"expire": "0"}, {"expire": 10**15}])
def test_what_says_no_end_is_for_ever(row: object) -> None:
    assert results.account(row) == proxmox.Account(None, {})


@pytest.mark.parametrize(
    "row", [{"expire": "soon"}, {"expire": -1}, {"tokens": {"t": 7}}, {"tokens": {"t": {"expire": []}}}]
)
def test_what_is_no_account(row: object) -> None:
    with pytest.raises(proxmox.ProtocolError):
        results.account(row)


def ask_as(lab: Cluster, config: ClusterConfig, user: str) -> proxmox.Account:
    token = lab.add_token(user, "own", privsep=False)
    mine = replace(config, user=user, token_id=token.full_id, token_secret=Secret(token.secret))
    with proxmox.read(mine) as reader:
        return reader.account(user)
