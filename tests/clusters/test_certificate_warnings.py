"""What speaks against a certificate."""

from datetime import UTC, datetime, timedelta

import pytest

from clusters.certificate_warnings import warnings_about
from clusters.proxmox import Certificate


def look(*names: str, begins: int = -1, ends: int = 1) -> Certificate:
    now = datetime.now(UTC)
    return Certificate(
        "s", "i", names, now + timedelta(days=begins), now + timedelta(days=ends), "AB", "", False, False
    )


NAMED = {
    ("pve.test",): "PVE.test", ("*.test",): "pve.test", ("::1",): "0:0::1", ("10.0.0.1",): "10.0.0.1",
    ("a", "pve"): "pve",
}  # fmt: skip
NOT_NAMED = {("*.test",): "a.b.test", ("*",): "pve", ("pve.test",): "xpve.test", ("1.test",): "10.0.0.1", (): "pve"}


@pytest.mark.parametrize(("names", "host"), NAMED.items())
def test_a_certificate_for_this_host_is_not_doubted(names: tuple[str, ...], host: str) -> None:
    assert warnings_about(look(*names), host, now=datetime.now(UTC)) == []


@pytest.mark.parametrize(("names", "host"), NOT_NAMED.items())
def test_a_certificate_for_another_host_is_doubted(names: tuple[str, ...], host: str) -> None:
    assert "not for this host" in warnings_about(look(*names), host, now=datetime.now(UTC))[0]


def test_a_certificate_whose_time_has_not_come_is_doubted() -> None:
    assert "not valid before" in warnings_about(look("pve", begins=1, ends=2), "pve", now=datetime.now(UTC))[0]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ((), "for no host, not"),
        (("a", "b", "c", "d", "e"), "for a, b, c, d, e, not"),
        (("a", "b", "c", "d", "e", "f"), "for a, b, c, d, e and 1 more, not"),
        (("a", "b", "c", "d", "e", "f", "g"), "for a, b, c, d, e and 2 more, not"),
    ],
)
def test_the_first_five_names_are_said(names: tuple[str, ...], listed: str) -> None:
    assert f"{listed} for this host (pve)" in warnings_about(look(*names), "pve", now=datetime.now(UTC))[0]


def test_the_very_moments_of_its_beginning_and_end_are_within() -> None:
    certificate = look("pve")
    for moment in certificate.not_before, certificate.not_after:
        assert warnings_about(certificate, "pve", now=moment) == []
    assert "expired" in warnings_about(certificate, "pve", now=certificate.not_after + timedelta(seconds=1))[0]
