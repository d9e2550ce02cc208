"""The order of keys and rows, which is another one at each call."""

import json
from typing import Any

import pytest

from pvesim import Cluster, Simulator
from tests.pvesim.conftest import Api, Clients

TRIES = 8
LISTS = ["/nodes/pve1/qemu", "/nodes", "/access/acl", "/access/roles"]


def orders(api: Api, path: str) -> set[str]:
    return {api.get(path).text for _ in range(TRIES)}


def same(api: Api, path: str) -> set[str]:
    """What stands there, whatever the order."""
    texts = [api.data(path) for _ in range(TRIES)]
    return {json.dumps(sorted(json.dumps(row, sort_keys=True) for row in rows)) for rows in texts}


@pytest.mark.parametrize("path", LISTS)
def test_rows_come_in_another_order_at_each_call(boss: Api, path: str) -> None:
    first_keys = {next(iter(boss.data(path)[0].values())) for _ in range(TRIES)}
    assert len(orders(boss, path)) > 1
    assert len(first_keys) > 1
    assert len(same(boss, path)) == 1


@pytest.mark.parametrize("path", ["/version", "/nodes/pve1/qemu/101/config", "/access/permissions"])
def test_keys_come_in_another_order_at_each_call(boss: Api, path: str) -> None:
    found = [boss.data(path) for _ in range(TRIES)]
    assert len({tuple(one) for one in found}) > 1
    assert all(one == found[0] for one in found)


def test_keys_of_errors_do_too(boss: Api) -> None:
    assert len({tuple(boss.get("/nodes/pve1/qemu/abc/config").json()) for _ in range(TRIES)}) > 1


def test_what_has_an_order_keeps_it(lab: Cluster, boss: Api) -> None:
    for number in range(3):
        lab.add_guest(300 + number)
    tasks = [boss.start(f"/nodes/pve1/qemu/{vmid}/status/stop") for vmid in (300, 301, 302)]
    for _ in range(TRIES):
        assert [row["vmid"] for row in boss.data("/cluster/resources", type="vm")] == [
            101,
            102,
            110,
            201,
            300,
            301,
            302,
        ]
        assert [row["upid"] for row in boss.data("/cluster/tasks")] == tasks[::-1]
        assert boss.data("/cluster/status")[0]["type"] == "cluster"


def fill(sim: Simulator, name: str, clients: Clients, **options: Any) -> Api:
    lab = sim.add_cluster(name, nodes=("pve1", "pve2", "pve3"), **options)
    lab.add_user("boss@pve", "x", acl={"/": "Administrator"})
    for vmid in range(100, 110):
        lab.add_guest(vmid)
    return clients.make(lab, headers=lab.add_token("boss@pve", "all", privsep=False).headers)


def test_the_seed_decides(clients: Clients) -> None:
    said = []
    for seed in (1, 1, 2):
        with Simulator(seed=seed) as sim:
            api = fill(sim, f"lab-{len(said)}", clients)
            api = fill(sim, "lab", clients)
            said.append([[row["vmid"] for row in api.data("/nodes/pve1/qemu")] for _ in range(3)])
    assert said[0] == said[1] != said[2]


def test_the_old_order_can_be_had(sim: Simulator, clients: Clients) -> None:
    api = fill(sim, "ordered", clients, shuffled=False)
    assert len(orders(api, "/nodes")) == len(orders(api, "/access/roles")) == 1
    assert [row["vmid"] for row in api.data("/nodes/pve1/qemu")] == list(range(100, 110))
