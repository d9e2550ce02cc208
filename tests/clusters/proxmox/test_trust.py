"""Whose certificate is believed, and that nothing is sent to anybody else."""

import socket
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes

from accounts.encrypted_fields import Secret
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.proxmox.session import Session
from pvesim.cluster import Cluster
from pvesim.tls import Authority
from tests.waits import TIMEOUT

ELSEWHERE = "elsewhere.example"
OTHER = ":".join(["AB"] * 32)


def version_of(config: ClusterConfig) -> str:
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        return pve.version().version


@pytest.fixture(params=["token", "password"])
def any_credential(request: pytest.FixtureRequest, config: ClusterConfig, by_password: ClusterConfig) -> ClusterConfig:
    return config if request.param == "token" else by_password


def test_the_pinned_certificate_is_trusted(any_credential: ClusterConfig) -> None:
    assert version_of(any_credential) == "9.2.11"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name for the simulator that its certificate does not have."""
    resolve = socket.getaddrinfo

    def patched(host: str, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host == ELSEWHERE else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", patched)


@pytest.mark.usefixtures("elsewhere")
def test_a_pin_needs_no_matching_name(config: ClusterConfig) -> None:
    assert version_of(replace(config, host=ELSEWHERE)) == "9.2.11"


def test_another_certificate_than_the_pinned_one_gets_no_request(any_credential: ClusterConfig, lab: Cluster) -> None:
    with pytest.raises(proxmox.CertificateRejected) as caught:
        version_of(replace(any_credential, fingerprint=OTHER))
    assert not caught.value.sent
    assert lab.count() == 0


def test_a_renewed_certificate_is_another_one(any_credential: ClusterConfig, lab: Cluster) -> None:
    assert version_of(any_credential)
    lab.renew_certificate("pve1")
    proxmox.forget(any_credential.cluster_id)
    before = lab.count()
    with pytest.raises(proxmox.CertificateRejected):
        version_of(any_credential)
    assert lab.count() == before


@pytest.mark.parametrize("algorithm", [hashes.MD5(), hashes.SHA1()])  # noqa: S303
def test_a_pin_of_a_weak_digest_is_none(config: ClusterConfig, lab: Cluster, algorithm: hashes.HashAlgorithm) -> None:
    weak = lab.nodes["pve1"].certificate.x509.fingerprint(algorithm).hex(":")
    with pytest.raises(proxmox.CertificateRejected, match="SHA-256"):
        version_of(replace(config, fingerprint=weak))
    assert lab.count() == 0


@pytest.mark.parametrize("pin", ["AB", "x" * 64, ":"])
def test_what_is_no_pin_is_not_passed_over(config: ClusterConfig, lab: Cluster, pin: str) -> None:
    with pytest.raises(proxmox.CertificateRejected):
        version_of(replace(config, fingerprint=pin))
    assert lab.count() == 0


def test_a_certificate_of_the_clusters_own_ca_is_trusted(any_credential: ClusterConfig, lab: Cluster) -> None:
    trusting = replace(any_credential, fingerprint="", ca_certificate=lab.ca_pem)
    assert version_of(trusting)
    lab.renew_certificate("pve1")
    proxmox.forget(trusting.cluster_id)
    assert version_of(trusting)


def test_a_certificate_of_another_ca_gets_no_request(any_credential: ClusterConfig, lab: Cluster) -> None:
    with pytest.raises(proxmox.CertificateRejected):
        version_of(replace(any_credential, fingerprint="", ca_certificate=Authority("else").certificate.pem))
    assert lab.count() == 0


@pytest.mark.usefixtures("elsewhere")
def test_with_a_ca_the_name_must_match(config: ClusterConfig, lab: Cluster) -> None:
    trusting = replace(config, fingerprint="", ca_certificate=lab.ca_pem)
    assert version_of(replace(trusting, host="localhost"))
    with pytest.raises(proxmox.CertificateRejected, match="not valid for"):
        version_of(replace(trusting, host=ELSEWHERE))
    assert lab.count() == 1


def test_a_ca_that_cannot_be_read(config: ClusterConfig) -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(proxmox.CertificateRejected, match="cannot be read"):
        version_of(replace(config, fingerprint="", ca_certificate=broken))


def test_the_system_does_not_know_a_clusters_own_ca(any_credential: ClusterConfig, lab: Cluster) -> None:
    with pytest.raises(proxmox.CertificateRejected):
        version_of(replace(any_credential, fingerprint="", verify_ssl=True))
    assert lab.count() == 0


def test_what_the_system_trusts_is_trusted(
    config: ClusterConfig, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert version_of(replace(config, fingerprint="", verify_ssl=True))


def test_unverified_works_and_does_not_warn_with_every_call(config: ClusterConfig) -> None:
    assert version_of(replace(config, fingerprint=""))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("verify", ["", False])
def test_what_requests_takes_for_no_check_is_no_argument_here(
    config: ClusterConfig, lab: Cluster, verify: str | bool
) -> None:
    session = Session(replace(config, fingerprint="", verify_ssl=True), deadline=TIMEOUT)
    with closing(session), pytest.raises(TypeError, match="verify"):
        session.request("GET", f"{session.base_url}/version", verify=verify)
    assert lab.count() == 0
    assert requests.get(f"{lab.url}/api2/json/access/ticket", verify=verify, timeout=TIMEOUT).status_code == 200


def test_a_fingerprint_goes_before_a_ca(config: ClusterConfig, lab: Cluster) -> None:
    with pytest.raises(proxmox.CertificateRejected):
        version_of(replace(config, fingerprint=OTHER, ca_certificate=lab.ca_pem))


def test_an_untrusted_certificate_is_told_apart_from_a_rejected_password(by_password: ClusterConfig) -> None:
    with pytest.raises(proxmox.LoginRejected):
        version_of(replace(by_password, password=Secret("wrong")))
