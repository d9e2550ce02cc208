import hashlib
import socket
import ssl

import pytest
import requests

from pvesim import Cluster, Simulator
from tests.pvesim.conftest import Clients
from tests.waits import TIMEOUT


def served_certificate(lab: Cluster, node: str) -> bytes:
    context = ssl.create_default_context(cadata=lab.ca_pem)
    with (
        socket.create_connection((lab.host, lab.ports[node]), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=node) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_every_node_has_its_own_certificate_of_the_same_authority(lab: Cluster) -> None:
    assert len({served_certificate(lab, node) for node in lab.nodes}) == 3


def test_the_fingerprint_is_that_of_the_served_certificate(lab: Cluster) -> None:
    served = hashlib.sha256(served_certificate(lab, "pve2")).hexdigest()
    assert lab.fingerprint("pve2").replace(":", "").lower() == served


def test_a_renewed_certificate_is_served_and_still_verifies(lab: Cluster) -> None:
    before = served_certificate(lab, "pve1")
    lab.renew_certificate("pve1")
    assert served_certificate(lab, "pve1") != before


def test_the_authority_of_another_cluster_verifies_nothing(sim: Simulator, lab: Cluster, clients: Clients) -> None:
    other = sim.add_cluster("lab-b")
    stranger = clients.make(other)
    stranger.url = lab.url
    with pytest.raises(requests.exceptions.SSLError):
        stranger.get("/version")
