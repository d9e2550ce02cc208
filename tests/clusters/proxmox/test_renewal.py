"""A ticket is replaced before it ends, and a login that hangs is a trouble of whoever began it alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT, wait_until

LOGINS = "^/access/ticket$"


@pytest.fixture
def due(by_password: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch) -> ClusterConfig:
    """Logged in, so long ago that the ticket is to be renewed."""
    ask(by_password)
    monkeypatch.setattr("clusters.proxmox.credentials.TICKET_RENEWAL", -1.0)
    lab.clear_requests()
    return by_password


def ask(config: ClusterConfig, *, deadline: float = TIMEOUT) -> proxmox.Version:
    with proxmox.connect(config, deadline=deadline) as pve:
        return pve.version()


def test_a_ticket_renews_itself(due: ClusterConfig, lab: Cluster) -> None:
    lab.user("portal@pve").password = "changed in the meantime"
    assert ask(due)
    assert [(request.path, request.status) for request in lab.requests] == [("/access/ticket", 200), ("/version", 200)]


def test_a_ticket_that_is_not_renewed_gives_way_to_the_password(due: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reply(LOGINS, status=401, reason="authentication failure", times=1)
    assert ask(due)
    assert lab.count(path_regex=LOGINS) == 2


def test_a_ticket_too_old_is_not_shown_again(due: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusters.proxmox.credentials.TICKET_END", -1.0)
    lab.user("portal@pve").password = "changed in the meantime"
    with pytest.raises(proxmox.LoginRejected):
        ask(due)
    assert lab.count() == 1


def test_what_still_serves_is_used_while_logins_are_in_trouble(due: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reply(LOGINS, status=595, reason="Connection refused")
    for _ in range(3):
        assert ask(due)
    assert lab.count(path_regex=LOGINS) == 1


def test_what_still_serves_is_used_while_somebody_renews_it(
    due: ClusterConfig, lab: Cluster, clock: ManualClock
) -> None:
    lab.faults.delay(LOGINS, 60.0, times=1)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(ask, due, deadline=TIMEOUT)
        wait_until(lambda: lab.count(path_regex=LOGINS))
        assert ask(due, deadline=TIMEOUT)
        assert not renewing.done()
        clock.advance(60.0)
        assert renewing.result(TIMEOUT)


def test_a_renewal_that_hangs_ends_in_time(due: ClusterConfig, lab: Cluster) -> None:
    lab.faults.hang(LOGINS)
    with pytest.raises(proxmox.TimedOut):
        ask(due, deadline=0.3)


def test_a_hanging_login_of_somebody_else_is_waited_for_no_longer_than_allowed(
    by_password: ClusterConfig, lab: Cluster, clock: ManualClock
) -> None:
    lab.faults.delay(LOGINS, 60.0)
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(ask, by_password, deadline=TIMEOUT)
        wait_until(lambda: lab.count(path_regex=LOGINS))
        with pytest.raises(proxmox.TimedOut) as caught:
            ask(by_password, deadline=0.2)
        assert not caught.value.sent
        assert not patient.done()
        clock.advance(60.0)
        assert patient.result(TIMEOUT)
    assert lab.count(path_regex=LOGINS) == 1


def test_another_cluster_does_not_wait(by_password: ClusterConfig, lab: Cluster, clock: ManualClock) -> None:
    lab.faults.delay(LOGINS, 60.0, times=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, by_password, deadline=TIMEOUT)
        wait_until(lambda: lab.count(path_regex=LOGINS))
        assert ask(replace(by_password, cluster_id="other"), deadline=TIMEOUT)
        assert not waiting.done()
        clock.advance(60.0)
        assert waiting.result(TIMEOUT)


def test_a_csrf_token_that_is_refused_leads_to_a_new_login(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        lab.faults.reply("status/stop", status=401, reason="Permission denied - invalid csrf token", times=1)
        with pytest.raises(proxmox.LoginRejected):
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
        assert pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert lab.count(path_regex=LOGINS) == 2


def test_a_password_that_changed_is_tried_once_in_a_connection(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(replace(by_password, password=Secret("old"))) as pve:
        for _ in range(5):
            with pytest.raises(proxmox.LoginRejected):
                pve.resources()
    assert lab.count() == 1
