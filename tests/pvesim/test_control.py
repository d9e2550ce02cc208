"""Faults by HTTP, as a demonstration uses them."""

from collections.abc import Iterator

import pytest
import requests

from pvesim import Cluster, Control, Simulator
from pvesim.control import fault_list
from tests.waits import TIMEOUT

from .conftest import Api


@pytest.fixture
def control(sim: Simulator) -> Iterator[Control]:
    with Control(sim) as running:
        yield running


def ask(control: Control, method: str, path: str, token: str | None = None, **query: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {control.token if token is None else token}"}
    return requests.request(method, control.url + path, headers=headers, params=query, timeout=TIMEOUT)  # type: ignore[arg-type]


def test_a_fault_comes_and_goes(lab: Cluster, boss: Api, control: Control) -> None:
    assert ask(control, "POST", "/faults/node-down", node="pve2").status_code == 200
    assert boss.get("/nodes/pve2/qemu").status_code == 595
    assert ask(control, "POST", "/faults/malformed", kind="html", path_regex="/version", times=1).status_code == 200
    assert boss.get("/version").text.startswith("<!DOCTYPE")
    assert boss.get("/version").status_code == 200
    assert ask(control, "DELETE", "/faults").status_code == 200
    assert boss.get("/nodes/pve2/qemu").status_code == 200


@pytest.mark.parametrize("request_line", ["GET /faults", "POST /faults/quorum-lost", "DELETE /faults"])
@pytest.mark.parametrize("token", ["", "wrong", "ünicode"])
def test_nothing_goes_without_the_token(lab: Cluster, control: Control, request_line: str, token: str) -> None:
    method, path = request_line.split()
    lab.faults.node_down("pve2")
    assert ask(control, method, path, token.encode().decode("latin-1")).status_code == 401
    assert not lab.nodes["pve2"].online
    assert lab.is_quorate(lab.nodes["pve1"])


@pytest.mark.parametrize(
    "path",
    [
        "node-up",
        "undo",
        "take",
        "--init--",
        "malformed",
        "malformed?kind=nice",
        "guest-moved?vmid=x",
        "node-down?node=ghost",
    ],
)
def test_what_makes_no_sense_is_refused(lab: Cluster, control: Control, path: str) -> None:
    assert ask(control, "POST", f"/faults/{path}").status_code == 400


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("node-up", "no fault 'node-up'; GET /faults lists them"),
        ("malformed", "malformed takes kind [path_regex]"),
        ("node-down?node=ghost", "node-down: there is no 'ghost'"),
        ("node-down?cluster=elsewhere", "no cluster 'elsewhere'; there are lab-a"),
    ],
)
def test_a_refusal_says_what_to_do_instead(lab: Cluster, control: Control, path: str, answer: str) -> None:
    assert ask(control, "POST", f"/faults/{path}").json() == answer


def test_it_is_no_part_of_the_api(lab: Cluster, boss: Api, control: Control) -> None:
    assert ask(control, "POST", "/api2/json/faults/quorum-lost").status_code == 404
    assert boss.post("/faults/quorum-lost").status_code == 501


def test_the_list_tells_names_and_parameters(lab: Cluster, control: Control) -> None:
    assert ask(control, "GET", "/faults").json() == fault_list().splitlines()
    assert "split-brain" in fault_list()
    assert "undo" not in fault_list()
