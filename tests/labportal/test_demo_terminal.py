"""What can be typed while the demo runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from labportal.demo import terminal
from labportal.demo.world import COPIES, NEW_PLACE, World
from tests.waits import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    made.simulator.start()
    yield made
    made.simulator.stop()


def answers(world: World) -> bool:
    try:
        requests.get(f"https://{world.b.host}:{world.b.port}/", verify=False, timeout=5)
    except requests.ConnectionError:
        return False
    return True


def test_a_cluster_goes_and_comes_back(world: World):
    assert "no longer responding" in terminal.obey(world, ["down", "building-b"])
    assert not answers(world)
    assert "responding again" in terminal.obey(world, ["up", "building-b"])
    assert answers(world)


def test_consoles_break_off(world: World):
    assert "disconnected" in terminal.obey(world, ["drop", "building-a"])


def test_a_slow_cluster_is_quick_again_when_it_is_up(world: World):
    assert "seconds for every response" in terminal.obey(world, ["slow", "building-b"])
    with pytest.raises(requests.Timeout):
        requests.get(f"https://{world.b.host}:{world.b.port}/", verify=False, timeout=1)
    terminal.obey(world, ["up", "building-b"])
    assert answers(world)


def test_a_cluster_shows_another_certificate(world: World):
    before = world.b.fingerprint()
    assert "another certificate" in terminal.obey(world, ["renew", "building-b"])
    assert answers(world)
    assert world.b.fingerprint() != before


def test_the_guests_of_a_cluster_are_told_until_one_changes(world: World):
    before = terminal.obey(world, ["guests", "building-b"])
    assert "has 4 guests: 101 102 103 104;" in before
    assert terminal.obey(world, ["guests", "building-b"]) == before
    world.b.guest(101).maxcpu += 1
    assert terminal.obey(world, ["guests", "building-b"]) != before


def test_the_next_clone_fails_and_the_one_after_it_does_not(world: World):
    assert "next clone on building-a" in terminal.obey(world, ["fail", "building-a"])
    assert [clone(world, 5000), clone(world, 5000)] == [False, True]


def clone(world: World, vmid: int) -> bool:
    """Whether a clone of a template succeeds."""
    api = f"https://{world.a.host}:{world.a.port}/api2/json/nodes/pve1/qemu/{COPIES['pve1']}/clone"
    form = {"newid": vmid, "pool": NEW_PLACE[1]}
    requests.post(api, form, headers=world.maker.headers, verify=False, timeout=5).raise_for_status()
    wait_until(lambda: not any(guest.lock for guest in world.a.guests))
    return any(guest.vmid == vmid for guest in world.a.guests)


@pytest.mark.parametrize("line", ["down", "drop nowhere", "down nowhere", "help", "up building-b now"])
def test_what_is_not_understood_changes_nothing_and_says_what_is(world: World, line: str):
    assert terminal.obey(world, line.split()) == terminal.KNOWN
    assert answers(world)


def test_new_mail_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    box = terminal.Mailbox(tmp_path)
    (tmp_path / "1.log").write_text(
        f"Subject: It is gone\n\nText\n{'-' * 79}\nSubject: It is back\n\nText\n{'-' * 79}\n"
    )
    box.tell_new()
    box.tell_new()
    told = capsys.readouterr().out
    assert (told.count("It is gone"), told.count("It is back")) == (1, 1)
