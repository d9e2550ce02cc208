"""The way to a display: the same address, trust and credential as the call that opened it, and what may go wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clusters import proxmox
from clusters.config import ClusterConfig, Trust
from clusters.proxmox import vnc
from pvesim.cluster import Cluster
from tests.waits import TIMEOUT

UPDATE = b"\x03\0\0\0\0\0\0\x08\0\x08"


def endpoint_of(config: ClusterConfig, vmid: int = 101, kind: str = "qemu") -> proxmox.ConsoleEndpoint:
    with proxmox.connect(config, deadline=TIMEOUT) as pve:
        return pve.console_endpoint("pve1", kind, vmid)


def seen(endpoint: proxmox.ConsoleEndpoint) -> bytes:
    """The size and the name, as the display says them."""

    async def look() -> bytes:
        async with proxmox.open_vnc(endpoint) as display:
            await display.send(b"\x01")
            return await display.exactly(24)

    return asyncio.run(look())


@pytest.mark.parametrize("which", ["config", "by_password"])
def test_a_display_opens_by_token_and_by_password(which: str, request: pytest.FixtureRequest) -> None:
    assert len(seen(endpoint_of(request.getfixturevalue(which)))) == 24


def test_a_containers_too(config: ClusterConfig, lab: Cluster) -> None:
    lab.guest(200).status = "running"
    assert len(seen(endpoint_of(config, 200, "lxc"))) == 24


def test_by_an_authority(config: ClusterConfig, lab: Cluster) -> None:
    by_ca = replace(config, fingerprint="", ca_certificate=lab.ca_pem)
    assert by_ca.trust is Trust.CA
    assert len(seen(endpoint_of(by_ca))) == 24


@pytest.mark.parametrize("trust", ["pin", "ca"])
def test_a_certificate_that_changed_meanwhile_gets_no_credential(
    config: ClusterConfig, lab: Cluster, trust: str
) -> None:
    if trust == "ca":
        config = replace(config, fingerprint="", ca_certificate=lab.ca_pem)
    endpoint = endpoint_of(config)
    lab.faults.certificate_of_another_authority()
    with pytest.raises(proxmox.CertificateRejected):
        seen(endpoint)
    assert lab.count("GET", "vncwebsocket") == 0


def test_a_host_that_is_not_allowed_any_more_is_not_connected_to(config: ClusterConfig, settings: Any) -> None:
    endpoint = endpoint_of(config)
    settings.CLUSTER_ALLOWED_NETWORKS = ["private"]
    with pytest.raises(proxmox.HostNotAllowed):
        seen(endpoint)


def test_a_way_shows_nothing_of_itself(config: ClusterConfig) -> None:
    assert repr(endpoint_of(config)) == "ConsoleEndpoint()"


def test_a_way_is_good_once(config: ClusterConfig) -> None:
    endpoint = endpoint_of(config)
    seen(endpoint)
    with pytest.raises(proxmox.ProxmoxError):
        seen(endpoint)


FAULTS: dict[str, tuple[Callable[[Any], object], type[Exception]]] = {
    "refused": (lambda faults: faults.console_refused(), proxmox.Refused),
    "redirect": (lambda faults: faults.console_refused(302, "Found"), proxmox.ProtocolError),
    "unanswered": (lambda faults: faults.console_unanswered(), proxmox.Dropped),
    "silent": (lambda faults: faults.console_stalled(), proxmox.TimedOut),
    "password": (lambda faults: faults.console_password_wrong(), proxmox.Refused),
    "late": (lambda faults: faults.console_ticket_expired(), proxmox.LoginRejected),
    "oversized": (lambda faults: faults.console_oversized(), proxmox.Dropped),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_an_error_of_ours(
    config: ClusterConfig, lab: Cluster, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "silent":
        monkeypatch.setattr(vnc, "OPEN_WITHIN", 0.5)
    begin, expected = FAULTS[fault]
    endpoint = endpoint_of(config)
    begin(lab.faults)
    with pytest.raises(expected) as caught:
        seen(endpoint)
    assert caught.value.__context__ is None, "what it came from holds headers"


def offering(*said: bytes) -> Callable[[int], Any]:
    stream = bytearray(b"".join(said))

    async def exactly(count: int) -> bytes:
        data = bytes(stream[:count])
        del stream[:count]
        return data

    return exactly


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ((b"RFB 003.003\n",), "another protocol"),
        ((vnc.RFB_VERSION, b"\x02\x01\x13"), "security types 1, 19"),
        ((vnc.RFB_VERSION, b"\0", b"\0\0\0\x04", b"busy"), "busy"),
    ],
)
def test_a_display_without_its_password_is_none(said: tuple[bytes, ...], named: str) -> None:
    async def nowhere(data: bytes) -> None:
        pass

    with pytest.raises(proxmox.ProxmoxError, match=named):
        asyncio.run(vnc._authenticate(offering(*said), nowhere, "secret"))


def test_the_answer_is_that_of_every_vnc_client() -> None:
    answer = vnc.challenge_response(bytes(range(16)), "password1")
    assert answer == vnc.challenge_response(bytes(range(16)), "password"), "eight characters count"
    assert answer.hex() == "b866924125c8eebb9debc1db61c538e2"
