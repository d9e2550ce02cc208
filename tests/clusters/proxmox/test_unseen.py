"""Nobody but the cluster sees a credential: not who sits behind the wrong certificate, nor where a redirect or the
environment would lead."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import proxmoxer
import pytest
import requests

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from pvesim.cluster import Cluster
from pvesim.tls import Authority
from tests.waits import TIMEOUT

from .conftest import PASSWORD
from .rawserver import RawServer, StartRaw, ok

LOGIN = ok(b'{"data":{"ticket":"PVE:x","CSRFPreventionToken":"x"}}')

# Plain proxmoxer does not look at certificates, and says so or not by what was imported before.
WARNS_OF_NO_CHECK = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@dataclass
class Ear:
    """Hears everything that is said to a port, in plain text, and answers nothing of use."""

    heard: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                conn, _ = self._listener.accept()
                with closing(conn), suppress(OSError):
                    conn.settimeout(TIMEOUT)
                    while part := conn.recv(4096):
                        conn.settimeout(0.3)
                        self.heard += part
                        if b"CONNECT" in part:
                            conn.sendall(b"HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n")

    def stop(self) -> None:
        self._listener.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.stop()


@pytest.fixture
def listening(raw: StartRaw) -> RawServer:
    """Looks like a cluster that takes every login; the heads and bodies that it was sent are in `requests`."""

    def speak(server: RawServer, conn: socket.socket) -> None:
        while True:
            if b"content-length: 0" not in (head := server.read_head(conn).lower()) and b"content-length" in head:
                server.requests.append(conn.recv(4096))
            conn.sendall(LOGIN)

    return raw(speak)


def by(credential: str, server: RawServer) -> ClusterConfig:
    if credential == "token":
        return server.config
    return replace(server.config, token_id="", token_secret=None, password=Secret(PASSWORD))


def secrets_of(config: ClusterConfig) -> list[bytes]:
    return [secret.reveal().encode() for secret in (config.password, config.token_secret) if secret]


def act(config: ClusterConfig) -> None:
    """Ask, and then change something."""
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        with suppress(proxmox.ProxmoxError):
            pve.version()
        pve.power("pve1", "qemu", 101, proxmox.Power.STOP)


WRONG: dict[str, dict[str, Any]] = {
    "pin": {"fingerprint": ":".join(["AB"] * 32)},
    "pins": {"fingerprint": ":".join(["AB"] * 32) + " " + ":".join(["CD"] * 32)},
    "CA": {"fingerprint": "", "ca_certificate": Authority("else").certificate.pem},
    "system": {"fingerprint": "", "verify_ssl": True},
}


@pytest.mark.parametrize("credential", ["token", "password"])
@pytest.mark.parametrize("trust", WRONG)
def test_nothing_is_said_behind_a_wrong_certificate(listening: RawServer, trust: str, credential: str) -> None:
    config = replace(by(credential, listening), **WRONG[trust])
    with pytest.raises(proxmox.CertificateRejected):
        act(config)
    assert listening.requests == []


@pytest.mark.parametrize("credential", ["token", "password"])
def test_behind_the_right_one_it_is(listening: RawServer, credential: str) -> None:
    config = by(credential, listening)
    with suppress(proxmox.ProxmoxError):
        act(config)
    assert secrets_of(config)[0] in b"".join(listening.requests)


@WARNS_OF_NO_CHECK
def test_plain_proxmoxer_says_the_password_to_anybody(listening: RawServer) -> None:
    with suppress(requests.RequestException):
        proxmoxer.ProxmoxAPI(
            "127.0.0.1", port=listening.port, user="portal@pve", password=PASSWORD, verify_ssl=False, timeout=10
        )
    assert PASSWORD.encode() in b"".join(listening.requests)


@pytest.fixture(params=["https", "http"])
def elsewhere(request: pytest.FixtureRequest, listening: RawServer, ear: Ear) -> str:
    port = listening.port if request.param == "https" else ear.port
    return f"{request.param}://127.0.0.1:{port}/api2/json/access/ticket"


@pytest.fixture(params=["token", "password"])
def anybody(request: pytest.FixtureRequest, config: ClusterConfig, by_password: ClusterConfig) -> ClusterConfig:
    return config if request.param == "token" else by_password


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_leads_nowhere(
    lab: Cluster, elsewhere: str, listening: RawServer, ear: Ear, *, anybody: ClusterConfig, status: int
) -> None:
    lab.faults.redirect(elsewhere, status=status)
    with pytest.raises(proxmox.ProxmoxError, match="redirect"):
        act(anybody)
    assert (listening.connections, bytes(ear.heard)) == (0, b"")


def test_a_redirect_of_the_login_leads_nowhere(by_password: ClusterConfig, lab: Cluster, ear: Ear) -> None:
    lab.faults.redirect(f"http://127.0.0.1:{ear.port}/", "/access/ticket", status=307)
    with pytest.raises(proxmox.ProtocolError, match="redirect"):
        act(by_password)
    assert bytes(ear.heard) == b""


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@WARNS_OF_NO_CHECK
def test_plain_proxmoxer_takes_the_password_along(lab: Cluster, elsewhere: str, listening: RawServer, ear: Ear) -> None:
    lab.faults.redirect(elsewhere, "/access/ticket", status=307)
    with suppress(requests.RequestException):
        proxmoxer.ProxmoxAPI(
            "127.0.0.1", port=lab.port, user="portal@pve", password=PASSWORD, verify_ssl=False, timeout=10
        )
    assert PASSWORD.encode() in b"".join(listening.requests) + bytes(ear.heard)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch, ear: Ear) -> Ear:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://{PASSWORD}:x@127.0.0.1:{ear.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return ear


def test_a_proxy_of_the_environment_hears_nothing(anybody: ClusterConfig, lab: Cluster, proxied: Ear) -> None:
    act(anybody)
    proxmox.fetch_certificate(lab.host, lab.port)
    assert bytes(proxied.heard) == b""


@WARNS_OF_NO_CHECK
def test_plain_proxmoxer_tells_the_proxy(lab: Cluster, proxied: Ear) -> None:
    with suppress(requests.RequestException):
        proxmoxer.ProxmoxAPI("127.0.0.1", port=lab.port, user="x@pve", password="p", verify_ssl=False, timeout=10)
    assert b"CONNECT" in bytes(proxied.heard)


def test_plain_http_is_not_spoken(anybody: ClusterConfig, ear: Ear) -> None:
    with pytest.raises(proxmox.ProxmoxError):
        act(replace(anybody, port=ear.port))
    assert not any(secret in ear.heard for secret in secrets_of(anybody))
    assert b"HTTP/1" not in ear.heard


def test_a_certificate_that_changes_under_way_ends_it(anybody: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(anybody) as pve:
        pve.version()
        lab.renew_certificate("pve1")
        before = lab.count()
        with pytest.raises(proxmox.CertificateRejected) as caught:
            pve.power("pve1", "qemu", 101, proxmox.Power.STOP)
    assert caught.value.presented == lab.fingerprint("pve1") != anybody.fingerprint
    assert lab.count() == before
