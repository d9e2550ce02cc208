import pytest
import requests

from pvesim import Cluster
from tests.pvesim.conftest import Api
from tests.waits import TIMEOUT

ADDRESSES = "/nodes/pve1/qemu/101/agent/network-get-interfaces"


def test_a_live_agent_tells_addresses(lab: Cluster, boss: Api) -> None:
    guest = lab.guest(101)
    guest.agent, guest.addresses = "alive", ("192.0.2.7", "2001:db8::7")
    [_, card] = boss.data(ADDRESSES)["result"]
    assert card["hardware-address"] == guest.mac.lower()
    assert [one["ip-address"] for one in card["ip-addresses"]] == ["192.0.2.7", "2001:db8::7"]


@pytest.mark.parametrize("agent", ["off", "dead"])
def test_no_agent_is_an_error(lab: Cluster, boss: Api, agent: str) -> None:
    lab.guest(101).agent = agent  # type: ignore[assignment]
    answer = boss.get(ADDRESSES)
    assert (answer.status_code, answer.reason) == (500, "QEMU guest agent is not running")


def test_a_dead_agent_is_waited_for(lab: Cluster, boss: Api) -> None:
    lab.guest(101).agent = "dead"
    lab.agent_delay = 3.0
    with pytest.raises(requests.ReadTimeout):
        boss.call("GET", ADDRESSES, timeout=(TIMEOUT, 0.1))


def test_the_agent_of_a_stopped_machine_is_not_asked(lab: Cluster, boss: Api) -> None:
    lab.guest(101).status = "stopped"
    assert boss.get(ADDRESSES).reason == "VM 101 is not running"


def test_the_agent_option_shows_whether_or_not_anybody_answers(lab: Cluster, boss: Api) -> None:
    assert "agent" not in boss.status(101)
    lab.guest(101).agent = "dead"
    assert boss.status(101)["agent"] == 1


def test_asking_the_agent_needs_its_privilege(lab: Cluster, pupil: Api) -> None:
    lab.guest(101).agent = "alive"
    assert pupil.get(ADDRESSES).status_code == 200
    assert "VM.GuestAgent.Audit" in pupil.get(ADDRESSES.replace("101", "102")).reason


def test_a_container_tells_addresses_while_it_runs(lab: Cluster, boss: Api) -> None:
    rows = {row["name"]: row for row in boss.data("/nodes/pve2/lxc/201/interfaces")}
    assert rows["eth0"]["inet"].endswith("/24")
    lab.guest(201).status = "stopped"
    assert boss.data("/nodes/pve2/lxc/201/interfaces") is None


def test_a_live_agent_tells_who_is_logged_in(lab: Cluster, boss: Api, pupil: Api) -> None:
    guest, path = lab.guest(101), "/nodes/pve1/qemu/101/agent/get-users"
    assert boss.get(path).reason == "QEMU guest agent is not running"
    guest.agent = "alive"
    assert boss.data(path) == {"result": []}
    guest.users = ("ana",)
    [row] = pupil.data(path)["result"]
    assert (row["user"], row["login-time"] > 0) == ("ana", True)
    guest.agent_error = "disabled"
    assert boss.data(path)["result"]["error"]["desc"] == "disabled"
