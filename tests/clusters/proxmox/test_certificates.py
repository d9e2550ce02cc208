"""Looking at a certificate without telling its owner anything, and telling which one was shown instead."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox import certificates, hosts, sockets
from pvesim.cluster import Cluster
from pvesim.tls import Authority
from tests.waits import TIMEOUT

from .blackhole import blackhole
from .rawserver import RawServer, StartRaw

OTHER = ":".join(["AB"] * 32)


def look(lab: Cluster) -> proxmox.Certificate:
    return proxmox.fetch_certificate(lab.host, lab.port, deadline=TIMEOUT)


def test_what_a_certificate_says(lab: Cluster) -> None:
    found = look(lab)
    assert found.subject == "CN=pve1"
    assert "Proxmox Virtual Environment" in found.issuer
    assert {"127.0.0.1", "localhost", "pve1"} <= set(found.names)
    assert found.not_before < datetime.now(UTC) < found.not_after - timedelta(days=300)
    assert found.fingerprint == lab.fingerprint("pve1")
    assert found.pem.startswith("-----BEGIN CERTIFICATE-----")
    assert (found.self_signed, found.trusted_by_system) == (False, False)


def test_a_look_is_no_request(lab: Cluster) -> None:
    look(lab)
    assert lab.count() == 0


def test_a_look_sends_not_a_byte_of_http(raw: StartRaw) -> None:
    heard: list[bytes] = []

    def listen(server: RawServer, conn: object) -> None:
        heard.append(conn.recv(1000))

    server = raw(listen)
    proxmox.fetch_certificate("127.0.0.1", server.port, deadline=TIMEOUT)
    server.stop()
    assert b"".join(heard) == b""


def test_what_was_seen_can_be_pinned(config: ClusterConfig, lab: Cluster) -> None:
    with proxmox.connect(replace(config, fingerprint=look(lab).fingerprint)) as pve:
        assert pve.version()


def test_a_certificate_that_the_system_trusts(lab: Cluster, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert look(lab).trusted_by_system


@pytest.mark.parametrize(("second", "trusted"), [(b"\x30\x01", True), (b"\x30\x02", False)])
def test_only_what_was_shown_is_what_the_system_trusts(
    monkeypatch: pytest.MonkeyPatch, second: bytes, trusted: bool
) -> None:
    monkeypatch.setattr(certificates, "_handshake", lambda *_: bytes(second))
    target = hosts.Target(2, 1, 6, ("127.0.0.1", 1))
    shown = bytes([0x30, 0x01])
    assert certificates._is_trusted_by_system("pve", target, shown, sockets.Deadline(9.0)) is trusted


def test_a_certificate_that_is_its_own_issuer() -> None:
    own = Authority("own").certificate
    assert certificates.read(own.x509.public_bytes(Encoding.DER)).self_signed


def test_what_is_no_certificate() -> None:
    with pytest.raises(proxmox.CertificateRejected, match="cannot be read"):
        certificates.read(b"\x30\x03\x02\x01\x01")


def test_nobody_is_there(lab: Cluster) -> None:
    lab.stop()
    with pytest.raises(proxmox.ConnectionRefused):
        look(lab)


def test_something_else_is_there(raw: StartRaw) -> None:
    server = raw(lambda server, conn: conn.sendall(b"220 mail ESMTP\r\n"), tls=False)
    with pytest.raises(proxmox.ProxmoxError) as caught:
        proxmox.fetch_certificate("127.0.0.1", server.port, deadline=TIMEOUT)
    assert not caught.value.sent


@pytest.fixture
def silent(raw: StartRaw) -> int:
    return raw(RawServer.await_end, tls=False).port


@pytest.fixture
def dark() -> Iterator[int]:
    with ExitStack() as opened:
        yield blackhole(opened)[1]


@pytest.mark.parametrize("where", ["silent", "dark"])
def test_a_look_ends_in_time(request: pytest.FixtureRequest, where: str) -> None:
    """Neither of them would ever say anything."""
    with pytest.raises(proxmox.TimedOut):
        proxmox.fetch_certificate("127.0.0.1", request.getfixturevalue(where), deadline=0.3)


@pytest.mark.parametrize("trust", ["pin", "ca", "system"])
def test_a_rejected_certificate_is_named(config: ClusterConfig, lab: Cluster, trust: str) -> None:
    wrong = {
        "pin": {"fingerprint": OTHER},
        "ca": {"fingerprint": "", "ca_certificate": Authority("else").certificate.pem},
        "system": {"fingerprint": "", "verify_ssl": True},
    }[trust]
    with pytest.raises(proxmox.CertificateRejected) as caught, proxmox.connect(replace(config, **wrong)) as pve:
        pve.version()
    assert caught.value.presented == lab.fingerprint("pve1")
    assert lab.count() == 0


@pytest.mark.parametrize(
    ("pinned", "was"),
    [([OTHER], OTHER), ([OTHER, "CD"], "one of 2 fingerprints"), (["1", "2", "3"], "one of 3 fingerprints")],
)
def test_a_change_names_the_pin_where_there_is_one(pinned: list[str], was: str) -> None:
    failure = certificates.changed(pinned, "EF")
    assert failure.reason == f"The certificate changed from {was} to EF."
    assert failure.presented == "EF"


def test_a_look_takes_ten_seconds_at_most(lab: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(sockets.Deadline, "restart", lambda deadline: asked.append(deadline.seconds))
    with pytest.raises(proxmox.TimedOut):
        proxmox.fetch_certificate(lab.host, lab.port)
    assert asked == [10.0]


def test_an_attempt_to_connect_may_take_all_that_is_left() -> None:
    assert sockets.Deadline(5.0).connect_part == 1.0


def test_a_hundred_names_are_kept() -> None:
    """However many a stranger writes there."""
    many = Authority("many").issue("pve", names=[f"n{number}.test" for number in range(101)])
    assert len(certificates.read(many.x509.public_bytes(Encoding.DER)).names) == 100


def test_names_of_any_length_are_cut_to_what_a_page_bears() -> None:
    own = certificates.read(Authority("many words " * 60).certificate.x509.public_bytes(Encoding.DER))
    assert (len(own.subject), len(own.issuer)) == (500, 500)


def test_a_fingerprint_that_is_none_is_told(config: ClusterConfig) -> None:
    with pytest.raises(proxmox.CertificateRejected, match="not a SHA-256 fingerprint"):
        certificates.pins(replace(config, fingerprint="AB:CD"))
    assert certificates.pins(replace(config, fingerprint=OTHER)) == {OTHER}
