from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pvesim import Cluster, ManualClock
from tests.pvesim.conftest import Api
from tests.waits import TIMEOUT, wait_until

STOP = "/nodes/pve1/qemu/102/status/stop"


def test_a_reply_replaces_the_answer(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("^/version$", 200, "OK", "<html>captive</html>", {"Content-Type": "text/html"})
    answer = boss.get("/version")
    assert (answer.text, answer.headers["Content-Type"]) == ("<html>captive</html>", "text/html")
    assert boss.get("/nodes").json()["data"]


def test_a_reply_may_redirect(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("/version", 301, "Moved", headers={"Location": "https://elsewhere.invalid/"})
    assert boss.get("/version").headers["Location"] == "https://elsewhere.invalid/"


def test_a_reply_may_be_shorter_than_it_says(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("/version", body='{"data":', headers={"Content-Length": "500"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        boss.get("/version")


def test_a_fault_wears_off(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("/version", 500, "broken", times=2)
    assert [boss.get("/version").status_code for _ in range(3)] == [500, 500, 200]


def test_faults_can_be_cleared(lab: Cluster, boss: Api) -> None:
    lab.faults.reply("/version", 500, "broken")
    lab.faults.clear()
    assert boss.get("/version").status_code == 200


def test_a_fault_may_be_for_one_method_and_one_node(lab: Cluster, boss: Api) -> None:
    lab.faults.reply(".", 500, "broken", method="POST")
    lab.faults.reply(".", 500, "broken", node="pve2")
    assert boss.get("/version").status_code == 200
    assert boss.post(STOP).status_code == 500
    boss.url = lab.urls["pve2"]
    assert boss.get("/version").status_code == 500


def test_a_hanging_request_never_answers_and_does_nothing(lab: Cluster, boss: Api) -> None:
    lab.faults.hang("/status/stop$")
    with pytest.raises(requests.ReadTimeout):
        boss.call("POST", STOP, timeout=(TIMEOUT, 0.1))
    wait_until(lambda: lab.count("POST", "/status/stop$") == 1)
    assert list(lab.tasks) == []


def test_a_hanging_request_may_take_effect(lab: Cluster, boss: Api) -> None:
    lab.faults.hang("/status/stop$", executed=True)
    with pytest.raises(requests.ReadTimeout):
        boss.call("POST", STOP, timeout=(TIMEOUT, 0.1))
    wait_until(lambda: len(list(lab.tasks)) == 1)


def test_a_reset_closes_before_the_status_line(lab: Cluster, boss: Api) -> None:
    lab.faults.reset("/version", times=1)
    with pytest.raises(requests.ConnectionError):
        boss.get("/version")
    assert boss.get("/version").status_code == 200


@pytest.mark.parametrize("before", ["headers", "body"])
def test_a_delay_is_by_the_clock(lab: Cluster, boss: Api, before: str) -> None:
    lab.faults.delay("/version", 20, before=before)  # type: ignore[arg-type]
    with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
        boss.call("GET", "/version", timeout=(TIMEOUT, 0.1))


def test_a_delayed_answer_comes_when_the_clock_says_so(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.delay("/version", 20)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(boss.get, "/version")
        while not lab.count(path_regex="/version"):
            assert not answer.done()
        clock.advance(20)
        assert answer.result(timeout=TIMEOUT).status_code == 200


def test_headers_come_before_a_delayed_body(lab: Cluster, boss: Api, clock: ManualClock) -> None:
    lab.faults.delay("/version", 20, before="body")
    with boss.call("GET", "/version", stream=True) as answer:
        assert answer.status_code == 200
        clock.advance(20)
        assert answer.json()["data"]["release"] == "9.2"


def test_a_dripping_answer_outlasts_a_read_timeout(lab: Cluster, boss: Api) -> None:
    lab.faults.drip("/version", bytes_per_second=400)
    answer = boss.call("GET", "/version", timeout=(TIMEOUT, 0.5))
    assert answer.json()["data"]["release"] == "9.2"
    assert answer.elapsed.total_seconds() > 0.25


def test_a_simulator_stops_while_requests_hang(lab: Cluster, boss: Api) -> None:
    lab.faults.hang("/version")
    with pytest.raises(requests.ReadTimeout):
        boss.call("GET", "/version", timeout=(TIMEOUT, 0.05))
    lab.stop()
    with pytest.raises(requests.ConnectionError):
        boss.get("/version")
