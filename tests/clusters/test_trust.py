"""What speaks against a certificate."""

from datetime import UTC, datetime, timedelta

import pytest

from clusters import trust
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
    assert trust.doubts(look(*names), host, now=datetime.now(UTC)) == []


@pytest.mark.parametrize(("names", "host"), NOT_NAMED.items())
def test_a_certificate_for_another_host_is_doubted(names: tuple[str, ...], host: str) -> None:
    assert "does not name this host" in trust.doubts(look(*names), host, now=datetime.now(UTC))[0]


def test_a_certificate_whose_time_has_not_come_is_doubted() -> None:
    assert "not yet valid" in trust.doubts(look("pve", begins=1, ends=2), "pve", now=datetime.now(UTC))[0]
