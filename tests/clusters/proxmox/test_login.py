"""API tokens, and tickets for a password."""

from dataclasses import replace

import pytest
import requests
from encrypted_model_fields import fields as encrypted

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.clock import ManualClock
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

from .conftest import PASSWORD
from .rawserver import VERSION, StartRaw, ok

LOGINS = "^/access/ticket$"


def test_a_token_needs_no_login(pve: proxmox.Client, lab: Cluster) -> None:
    pve.version()
    assert [(request.path, request.identity) for request in lab.requests] == [("/version", "portal@pve!labs")]


def test_a_token_goes_before_a_password(config: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(replace(config, password=Secret(PASSWORD))) as pve:
        pve.version()
    assert lab.count(path_regex=LOGINS) == 0


def test_a_token_id_without_a_secret_is_no_token(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(replace(by_password, token_id="portal@pve!labs")) as pve:
        pve.version()
    assert lab.count(path_regex=LOGINS) == 1


def test_one_login_serves_a_whole_connection(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        pve.resources()
        pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert lab.count(path_regex=LOGINS) == 1
    assert lab.requests[-1].identity == "portal@pve"
    assert lab.requests[-1].status == 200


@pytest.mark.parametrize("secret", ["not-the-secret", "00000000-0000-0000-0000-000000000000"])
def test_a_rejected_token(config: ClusterConfig, lab: Cluster, secret: str) -> None:
    with (
        proxmox.connect(replace(config, token_secret=Secret(secret))) as pve,
        pytest.raises(proxmox.LoginRejected) as caught,
    ):
        pve.version()
    assert (caught.value.status, caught.value.sent) == (401, False)
    assert lab.count() == 1


def test_a_rejected_password_is_tried_once_in_a_connection(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(replace(by_password, password=Secret("wrong"))) as pve:
        for _ in range(3):
            with pytest.raises(proxmox.LoginRejected):
                pve.version()
    assert lab.count() == 1


def test_an_expired_ticket_is_renewed_for_a_question(
    by_password: ClusterConfig, lab: Cluster, clock: ManualClock
) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        clock.advance(7201)
        assert pve.resources().guests
    assert lab.count(path_regex=LOGINS) == 2


def test_a_ticket_is_renewed_once_and_then_its_rejection_stands(by_password: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        lab.faults.reply("/cluster/resources", status=401, reason="Authentication failed!")
        with pytest.raises(proxmox.LoginRejected):
            pve.resources()
    assert lab.count(path_regex=LOGINS) == 2
    assert lab.count(path_regex="/cluster/resources") == 2


def test_a_ticket_that_is_new_is_not_renewed(by_password: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reply("/version", status=401, reason="Authentication failed!")
    with proxmox.connect(by_password) as pve, pytest.raises(proxmox.LoginRejected):
        pve.version()
    assert lab.count(path_regex=LOGINS) == 1


def test_a_change_is_not_repeated_with_a_new_ticket(
    by_password: ClusterConfig, lab: Cluster, clock: ManualClock
) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        clock.advance(7201)
        with pytest.raises(proxmox.LoginRejected) as caught:
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert not caught.value.sent
    assert lab.count(path_regex="status/stop") == 1


def test_an_aged_ticket_is_renewed_before_a_change(
    by_password: ClusterConfig, lab: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxmox.connect(by_password) as pve:
        pve.version()
        monkeypatch.setattr("clusters.proxmox.credentials.TICKET_RENEWAL", -1.0)
        pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert [request.path for request in lab.requests][-2:] == ["/access/ticket", "/nodes/pve1/qemu/101/status/stop"]


def test_a_second_factor_is_a_rejected_login_that_points_to_tokens(by_password: ClusterConfig, lab: Cluster) -> None:
    lab.faults.reply(LOGINS, body='{"data":{"NeedTFA":1,"ticket":"PVE:!tfa!x","CSRFPreventionToken":"x"}}')
    with proxmox.connect(by_password) as pve, pytest.raises(proxmox.LoginRejected, match="API token"):
        pve.version()
    assert lab.count(path_regex="/version") == 0


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (595, "", proxmox.NodeDown),
        (500, '{"data":null}', proxmox.Refused),
        (200, "<html>", proxmox.ProtocolError),
        (200, '{"data":null}', proxmox.ProtocolError),
        (200, '{"data":{"ticket":1,"CSRFPreventionToken":"x"}}', proxmox.ProtocolError),
        (200, '{"data":{"ticket":"","CSRFPreventionToken":"x"}}', proxmox.ProtocolError),
        (200, '{"data":{"ticket":"x","CSRFPreventionToken":"x\\r\\nHost: evil"}}', proxmox.ProtocolError),
    ],
)
def test_a_login_that_fails_otherwise_sends_nothing_else(
    by_password: ClusterConfig, lab: Cluster, status: int, body: str, expected: type[proxmox.ProxmoxError]
) -> None:
    lab.faults.reply(LOGINS, status=status, body=body)
    with proxmox.connect(by_password) as pve, pytest.raises(expected) as caught:
        pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert type(caught.value) is expected
    assert not caught.value.sent
    assert lab.count() == 1


def test_a_token_sends_no_cookie_and_a_ticket_no_token(raw: StartRaw, by_password: ClusterConfig) -> None:
    login = ok(b'{"data":{"ticket":"PVE:portal@pve:1::c2ln/+==","CSRFPreventionToken":"1:c2ln"}}')

    def speak(server, conn):
        while head := server.read_head(conn):
            conn.sendall(login if b"/access/ticket" in head else VERSION)

    server = raw(speak)
    for config in (server.config, replace(server.config, token_secret=None, password=Secret("p"))):
        with proxmox.connect(config, deadline=TIMEOUT) as pve:
            pve.version()
    by_token, logging_in, by_ticket = (head.lower() for head in server.requests)
    assert b"authorization: pveapitoken=" in by_token
    assert b"cookie:" not in by_token
    assert b"cookie:" not in logging_in
    assert b"authorization:" not in logging_in + by_ticket
    assert b"cookie: pveauthcookie=pve%3aportal%40pve%3a1%3a%3ac2ln%2f%2b%3d%3d\r\n" in by_ticket
    assert b"csrf" not in by_ticket


def test_a_foreign_cookie_is_not_kept(config: ClusterConfig, by_password: ClusterConfig, lab: Cluster) -> None:
    headers = {"Content-Type": "application/json", "Set-Cookie": "PVEAuthCookie=stale; Path=/"}
    lab.faults.reply("/version", body='{"data":{"version":"9","release":"9"}}', headers=headers)
    for one in (config, by_password):
        with proxmox.connect(one) as pve:
            pve.version()
            assert pve.resources().guests


def test_a_kept_cookie_would_outweigh_the_token(config: ClusterConfig, lab: Cluster, ca_file: str) -> None:
    header = {"Authorization": f"PVEAPIToken={config.token_id}={config.token_secret.reveal()}"}
    resources = f"{lab.url}/api2/json/cluster/resources"
    with requests.Session() as plain:
        assert plain.get(resources, headers=header, verify=ca_file, timeout=TIMEOUT).status_code == 200
        plain.cookies.set("PVEAuthCookie", "stale")
        assert plain.get(resources, headers=header, verify=ca_file, timeout=TIMEOUT).status_code == 401


def test_without_a_credential_nothing_is_opened(config: ClusterConfig, lab: Cluster) -> None:
    lab.stop()
    with pytest.raises(proxmox.NoCredential), proxmox.connect(replace(config, token_secret=None)):
        pass


@pytest.mark.parametrize("key", ["token_secret", "password"])
def test_a_credential_of_another_key(config: ClusterConfig, lab: Cluster, key: str) -> None:
    sealed = {"token_secret": None, key: Secret(ciphertext="gAAAAABnot-of-this-key")}
    with (
        pytest.raises(proxmox.CredentialUnreadable, match="FIELD_ENCRYPTION_KEY"),
        proxmox.connect(replace(config, **sealed)),
    ):
        pass
    assert lab.count() == 0


def test_a_sealed_credential_is_opened(by_password: ClusterConfig) -> None:
    sealed = Secret(ciphertext=encrypted.encrypt_str(PASSWORD).decode())
    with proxmox.connect(replace(by_password, password=sealed)) as pve:
        assert pve.version()


@pytest.mark.parametrize("secret", ["a\r\nHost: evil", "a b", "é", ""])
def test_a_token_that_no_header_can_carry(config: ClusterConfig, secret: str) -> None:
    with (
        pytest.raises(proxmox.CredentialUnreadable) as caught,
        proxmox.connect(replace(config, token_secret=Secret(secret))),
    ):
        pass
    assert not secret or secret not in caught.value.plain


@pytest.mark.parametrize("password", ["pä ss&wörd=+%", '"; DROP', "日本"])
def test_a_password_of_any_characters(by_password: ClusterConfig, lab: Cluster, password: str) -> None:
    lab.add_user("other@pve", password=password, acl={"/": "Administrator"})
    with proxmox.connect(replace(by_password, user="other@pve", password=Secret(password))) as pve:
        assert pve.permissions()
