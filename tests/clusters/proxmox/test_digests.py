"""What is remembered of a list, against answers that try to look the same."""

from typing import Any

import pytest

from clusters.proxmox import Digest, Resources, results


def guest(vmid: int, **facts: Any) -> dict[str, Any]:
    return {"type": "qemu", "vmid": vmid, "node": "pve1", "name": f"vm-{vmid}", "status": "stopped", **facts}


TWO = [guest(100), guest(101, status="running", uptime=500)]


def read(*entries: Any, known: Digest | None = None, again: tuple[int, ...] = (), clock: float = 1000.0) -> Resources:
    return results.resources_since(list(entries), known, again=again, clock=clock)


@pytest.fixture
def known() -> Digest:
    digest = read(*TWO).digest
    assert digest
    return digest


def test_guests_that_are_the_same_are_left_out(known: Digest):
    found = read(*TWO, known=known)
    assert (found.guests, found.unchanged) == ((), 2)


def test_their_order_means_nothing(known: Digest):
    assert read(*reversed(TWO), known=known).unchanged == 2


def test_figures_that_are_always_others_mean_nothing(known: Digest):
    busy = guest(101, status="running", uptime=503, cpu=0.7, mem=12345, netin=99)
    assert read(TWO[0], busy, known=known, clock=1003.0).unchanged == 2


def test_those_that_are_asked_for_are_there(known: Digest):
    found = read(*TWO, known=known, again=(100,))
    assert ([guest.vmid for guest in found.guests], found.unchanged) == ([100], 1)


def test_many_small_steps_are_another_start(known: Digest):
    digest: Digest | None = known
    for step in range(1, 3):
        found = read(TWO[0], guest(101, status="running", uptime=500 - 20 * step), known=digest)
        digest = found.digest
    assert [guest.vmid for guest in found.guests] == [101]


@pytest.mark.parametrize(
    "entries",
    [
        [TWO[0], TWO[0]],
        [*TWO, TWO[0]],
        [*TWO, guest(102)],
        [TWO[0]],
        [],
        [*TWO, "no row"],
        [*TWO, {}],
        [*TWO, {"type": "node", "node": "pve2", "status": "online"}],
        [*TWO, {"type": "pool", "pool": "labs"}],
        [TWO[0], guest(101, status="running", uptime="500")],
        [TWO[0], guest(101, name=["vm-101"])],
        [TWO[0], guest(101, node="../access")],
    ],
    ids=str,
)
def test_an_answer_with_anything_odd_is_whole(known: Digest, entries: list[Any]):
    found, plain = read(*entries, known=known), results.resources(list(entries))
    assert (found.unchanged, found.guests, found.rejected) == (0, plain.guests, plain.rejected)


@pytest.mark.parametrize("odd", [{"vmid": "100"}, {"vmid": 100.0}, {"tags": {"a": 1}}, {"uptime": [1]}, {"vmid": 99}])
def test_an_odd_guest_leaves_nothing_to_compare_with(odd: dict[str, Any]):
    assert read(guest(100) | odd).digest is None


def test_a_number_twice_leaves_nothing_to_compare_with():
    assert read(TWO[0], TWO[0]).digest is None
