"""A credential that was rejected is not tried again by anybody, until it is another one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.cluster import Cluster

from .conftest import PASSWORD
from .throttles import MemoryLoginThrottle

LOGINS = "^/access/ticket$"


@pytest.fixture
def throttle() -> MemoryLoginThrottle:
    return MemoryLoginThrottle()


def ask(config: ClusterConfig, throttle: MemoryLoginThrottle | None, *, deadline: float = 5.0) -> bool:
    try:
        with proxmox.connect(config, deadline=deadline, throttle=throttle) as pve:
            return bool(pve.resources())
    except proxmox.LoginRejected:
        return False


@pytest.fixture
def wrong(by_password: ClusterConfig) -> ClusterConfig:
    return replace(by_password, password=Secret("wrong"))


def test_a_hundred_connections_try_a_wrong_password_once(
    wrong: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    assert not any(ask(wrong, throttle) for _ in range(100))
    assert lab.count() == 1


def test_twelve_threads_try_a_wrong_password_once(
    wrong: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert not any(pool.map(lambda _: ask(wrong, throttle), range(48)))
    assert lab.count() == 1


def test_without_a_gate_each_connection_tries_once(wrong: ClusterConfig, lab: Cluster) -> None:
    assert not any(ask(wrong, None) for _ in range(3))
    assert lab.count() == 3


def test_a_new_credential_is_tried(wrong: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle) -> None:
    ask(wrong, throttle)
    assert ask(replace(wrong, password=Secret(PASSWORD), credential_version=1), throttle)
    assert not ask(wrong, throttle)
    assert lab.count(path_regex=LOGINS) == 2


def test_a_login_that_is_accepted_is_told(by_password: ClusterConfig, throttle: MemoryLoginThrottle) -> None:
    assert ask(by_password, throttle)
    assert ask(by_password, throttle)
    assert throttle.log == ["acquire", "accepted"]


@pytest.mark.parametrize("status", [500, 595])
def test_a_login_without_a_verdict_leaves_the_turn_to_the_next(
    by_password: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle, status: int
) -> None:
    lab.faults.reply(LOGINS, status=status, times=1)
    with pytest.raises(proxmox.ProxmoxError):
        ask(by_password, throttle)
    assert ask(by_password, throttle)
    assert throttle.log == ["acquire", "release", "acquire", "accepted"]


def test_nobody_waits_for_a_turn_longer_than_allowed(by_password: ClusterConfig, throttle: MemoryLoginThrottle) -> None:
    throttle.acquire(by_password, patience=0)
    with pytest.raises(proxmox.TimedOut) as caught:
        ask(by_password, throttle, deadline=0.2)
    assert not caught.value.sent


def test_a_second_factor_is_a_rejection(
    by_password: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    lab.faults.reply(LOGINS, body='{"data":{"NeedTFA":1,"ticket":"PVE:!tfa!x","CSRFPreventionToken":"x"}}')
    assert not any(ask(by_password, throttle) for _ in range(3))
    assert lab.count() == 1


def test_a_ticket_that_is_refused_as_soon_as_it_is_given_is_a_rejection(
    by_password: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    lab.faults.reply("/cluster/resources", status=401, reason="Authentication failed!")
    assert not any(ask(by_password, throttle) for _ in range(3))
    assert [request.path for request in lab.requests] == ["/access/ticket", "/cluster/resources"]


def test_a_rejected_token_sends_nothing_more_in_its_connection(config: ClusterConfig, lab: Cluster) -> None:
    lab.remove_token(config.token_id)
    with proxmox.connect(config) as pve:
        for _ in range(3):
            with pytest.raises(proxmox.LoginRejected):
                pve.version()
        with pytest.raises(proxmox.LoginRejected) as caught:
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert not caught.value.sent
    assert lab.count() == 1


def test_a_rejected_token_sends_nothing_more_at_all_with_a_gate(
    config: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    lab.remove_token(config.token_id)
    assert not any(ask(config, throttle) for _ in range(100))
    assert lab.count() == 1


def test_a_token_that_is_revoked_under_way_is_told(
    config: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    with proxmox.connect(config, throttle=throttle) as pve:
        pve.version()
        lab.remove_token(config.token_id)
        with pytest.raises(proxmox.LoginRejected):
            pve.version()
    assert throttle.log == ["acquire", "accepted", "rejected"]
    assert not ask(config, throttle)


def test_a_token_that_gets_no_answer_is_not_rejected(
    config: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    lab.faults.reset(".", times=1)
    with pytest.raises(proxmox.Dropped):
        ask(config, throttle)
    assert ask(config, throttle)
    assert throttle.log == ["acquire", "release", "acquire", "accepted"]


def test_a_missing_privilege_is_no_rejection(
    config: ClusterConfig, lab: Cluster, throttle: MemoryLoginThrottle
) -> None:
    lab.revoke("/", "portal@pve")
    with pytest.raises(proxmox.PermissionMissing), proxmox.connect(config, throttle=throttle) as pve:
        pve.cluster_status()
    assert throttle.log == ["acquire", "accepted"]


def test_a_fault_of_the_portal_itself_leaves_the_turn_as_well(
    by_password: ClusterConfig, throttle: MemoryLoginThrottle, settings: Any
) -> None:
    settings.CLUSTER_ALLOWED_NETWORKS = ["nonsense"]
    with pytest.raises(ImproperlyConfigured):
        ask(by_password, throttle)
    assert throttle.log == ["acquire", "release"]
