"""Holds the simulator against a description of the API: that beside this file, or one that a developer names:

    PVE_API_SCHEMA=schema.json .venv/bin/python -m pytest tests/pvesim/test_schema.py -rP

`description.py` tells what such a file holds.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from pvesim import Cluster, ManualClock, Simulator
from pvesim.api.call import Route
from pvesim.api.dispatch import ROUTES
from pvesim.guests import Snapshot

from .conftest import Api, Clients
from .description import FILE, complaints, described, undescribed

RELEASES = ("7.4", "8.4", "9.2")

# Words which stand for any value of a kind, where a call wants one.
SAMPLES = {
    "feature": "snapshot",
    "timeframe": "hour",
    "newid": "900",
    "target": "pve2",
    "username": "boss@pve",
    "password": "boss-pw",
    "userid": "guest@pve",
    "path": "/vms",
    "roles": "PVEAuditor",
    "port": "5900",
    "vmid": "901",
    "sid": "vm:101",
    "type": "user",
    "disk": "scsi0",
    "size": "+1G",
}
# What is made is not there yet, and what is deleted is empty.
NAMES = {"POST": {"userid": "fresh@pve", "poolid": "fresh", "roleid": "Fresh"}, "DELETE": {"poolid": "empty"}}
# A stopped container has no addresses, not even an empty list of them; the descriptions do not say so.
# Newer releases have this call, and refuse it.
HA_GROUPS = "/cluster/ha/groups"
NULLABLE = {"GET /nodes/{node}/lxc/{vmid}/interfaces"}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def routes_of(lab: Cluster) -> list[Route]:
    return [route for route in ROUTES if lab.release.is_since(route.since)]


def test_the_checker_can_fail() -> None:
    schema = {"type": "array", "items": {"properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}}}
    assert not list(complaints([{"a": "1", "b": 0, "c": None}], schema))
    assert len(list(complaints([{"a": "x"}], schema))) == 2
    assert list(complaints({}, schema))


def test_so_can_that_of_fields_nobody_told_of() -> None:
    schema = {"type": "array", "items": {"properties": {"a": {"type": "any"}}, "others": None}}
    assert list(undescribed([{"a": 1}, {"a": 1, "b": 2}], schema)) == ["data[].b"]


# --- a cluster which has one of everything ---


@pytest.fixture(params=RELEASES)
def lab(sim: Simulator, request: pytest.FixtureRequest) -> Cluster:
    cluster = sim.add_cluster("lab-a", nodes=("pve1", "pve2"), statd_interval=0.0, release=request.param)
    cluster.add_user("boss@pve", "boss-pw", acl={"/": "Administrator"})
    put_back(cluster)
    return cluster


def put_back(lab: Cluster) -> None:
    """The guests and accounts as they were, whatever was done to them."""
    for guest in lab.guests:
        lab.remove_guest(guest.vmid)
    for name in lab.accounts.users.keys() & {"fresh@pve", "guest@pve"}:
        lab.remove_user(name)
    lab.add_user("guest@pve", "guest-pw")
    lab.add_token("guest@pve", "first")
    lab.add_group("pupils", ["guest@pve"])
    lab.add_pool("empty")
    lab.add_role("Own", ["VM.Audit"])
    lab.access.roles.pop("Fresh", None)
    if "fresh" in lab.access.pools:
        lab.access.pools.remove("fresh")
    for first, kind, states in ((100, "qemu", "running stopped paused"), (200, "lxc", "running stopped running")):
        for number, status in enumerate(states.split()):
            more: dict[str, Any] = {"pool": "labs", "tags": ["lab"], "agent": "alive", "ha": number == 2}
            guest = lab.add_guest(first + number, kind=kind, status=status, **more)  # type: ignore[arg-type]
            guest.options.update({"vga": "qxl"} if kind == "qemu" else {})
            for name in ("first", "second") if (kind, number) != ("qemu", 1) else ():
                guest.snapshots[name] = Snapshot(name, "", lab.timeline.now(), None, False, {}, guest.settings())
    lab.add_guest(110, template=True, lock="backup", node="pve2")


@pytest.fixture
def api(lab: Cluster, clients: Clients, clock: ManualClock) -> Api:
    api = clients.make(lab, headers=lab.add_token("boss@pve", "all", privsep=False).headers)
    for path in ("qemu/100", "qemu/110", "lxc/200"):
        api.post(f"/nodes/pve1/{path}/status/stop")
    clock.advance(2)
    return api


def send(api: Api, route: Route, path: str, given: dict[str, str]) -> requests.Response:
    if path.endswith("/vncwebsocket"):
        place = path.removesuffix("/vncwebsocket")
        opened = api.post(f"{place}/vncproxy", websocket=1).json()["data"]
        given = {**given, "port": opened["port"], "vncticket": opened["ticket"]}
    where = {"params" if route.method in ("GET", "DELETE") else "data": given}
    headers = {"Authorization": None} if route.public else {}
    return api.call(route.method, path, **where, headers=headers)


def calls(route: Route, upids: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Paths with their parameters, one for each object of the cluster which the call can be about."""
    needed = [name for name, param in route.params.items() if param.required and f"{{{name}}}" not in route.path]
    samples = {"poolid": "labs", **SAMPLES, **NAMES.get(route.method, {})}
    given = {name: samples.get(name, "second" if name == "snapname" else "1") for name in needed}
    first = 100 if "/qemu/" in route.path else 200
    for vmid in range(first, first + 3) if "{vmid}" in route.path else [first]:
        for upid in upids if "{upid}" in route.path else [""]:
            yield route.path.format(**_names(route, vmid, upid)), given


def _names(route: Route, vmid: int, upid: str) -> dict[str, object]:
    return {
        "node": "pve1",
        "vmid": vmid,
        "upid": upid,
        "snapname": "first",
        "userid": "guest@pve",
        "poolid": "empty" if route.method == "DELETE" else "labs",
        "tokenid": "fresh" if route.method == "POST" else "first",
        "roleid": "PVEAuditor" if route.method == "GET" else "Own",
        "sid": "vm:102",
        "storage": "data",
    }


def test_every_answer_is_as_described(lab: Cluster, api: Api, clock: ManualClock) -> None:
    known, seen, answers = described(lab.release.name), set(), 0
    for route in routes_of(lab):
        for path, given in calls(route, [task.upid for task in lab.tasks][:6]):
            put_back(lab)
            answer = send(api, route, path, given)
            clock.advance(20)
            answers += 1
            seen.update({name_of(route)} if answer.status_code == 200 else ())
            assert list(wrong(route, answer, known, lab)) == []
    left = sorted({name_of(route) for route in routes_of(lab)} & set(known) - seen)
    calls_described = len(set(known) & seen)
    print(f"{lab.release.name}: {answers} answers checked, of {calls_described} described calls and some others")
    assert left == []


def wrong(route: Route, answer: requests.Response, known: dict[str, Any], lab: Cluster) -> Iterator[str]:
    body = answer.json()
    if answer.status_code == 200:
        schema = known.get(name_of(route), {}).get("returns", {})
        if body["data"] is not None or name_of(route) not in NULLABLE:
            yield from complaints(body["data"], schema, name_of(route))
            yield from () if FILE else undescribed(body["data"], schema, name_of(route))
    elif body["data"] is not None or ("message" in body) != lab.release.errors_have_a_message:
        yield f"{name_of(route)}: {answer.text}"


def test_every_unknown_parameter_is_refused(lab: Cluster, api: Api) -> None:
    tried = 0
    for route in routes_of(lab):
        for path, given in list(calls(route, [task.upid for task in lab.tasks][:1]))[:1]:
            answer = send(api, route, path, {**given, "no-such-parameter": "1"})
            tried += 1
            assert answer.status_code == 400, name_of(route)
            assert "no-such-parameter" in answer.json()["errors"]
    print(f"{lab.release.name}: an unknown parameter was refused by {tried} of {tried} calls")


@pytest.mark.parametrize("release", RELEASES)
def test_every_parameter_is_described(sim: Simulator, release: str) -> None:
    lab = sim.add_cluster("lab-a", release=release)
    compared = 0
    for route in routes_of(lab):
        if name_of(route) in described(release):
            known = described(release)[name_of(route)]["parameters"].get("properties", {})
            own = {name for name, param in route.params.items() if lab.release.is_since(param.since)}
            numbered = {re.sub(r"\d+$", "[n]", name) for name in own}
            assert own <= set(known) or numbered <= set(known), name_of(route)
            compared += len(own)
    print(f"{release}: {compared} parameters are described")


@pytest.mark.skipif(bool(FILE), reason="allowed: needs our own description, which is complete: unset PVE_API_SCHEMA")
@pytest.mark.parametrize("release", RELEASES)
def test_every_call_and_its_parameters_are_described_exactly(sim: Simulator, release: str) -> None:
    lab = sim.add_cluster("lab-a", release=release)
    for route in routes_of(lab):
        known = described(release)[name_of(route)]["parameters"]["properties"] if route.path != HA_GROUPS else {}
        own = {name: param for name, param in route.params.items() if lab.release.is_since(param.since)}
        assert {name: (one["type"], not one["optional"]) for name, one in known.items()} == {
            name: (param.kind, param.required) for name, param in own.items()
        }, name_of(route)


@pytest.mark.parametrize("release", RELEASES)
def test_every_privilege_is_the_described_one(sim: Simulator, release: str) -> None:
    lab = sim.add_cluster("lab-a", release=release)
    compared = 0
    for route in routes_of(lab):
        check = described(release).get(name_of(route), {}).get("permissions", {}).get("check")
        if check and check[0] == "perm" and route.permission:
            own = [name for name in route.permission.privileges if name in lab.access.catalogue.privileges]
            assert (route.permission.path, sorted(own)) == (check[1], sorted(check[2])), name_of(route)
            compared += 1
    print(f"{release}: {compared} calls ask for the described privileges")


@pytest.mark.parametrize("release", RELEASES)
def test_calls_which_did_not_exist_do_not(sim: Simulator, release: str) -> None:
    lab = sim.add_cluster("lab-a", release=release)
    everywhere = set().union(*(described(known) for known in RELEASES))
    own = {name_of(route) for route in routes_of(lab) if route.path != HA_GROUPS} & everywhere
    assert own <= set(described(release))
