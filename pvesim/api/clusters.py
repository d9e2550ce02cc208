"""/cluster"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.api.rows import guest_row, network_row, node_row, pool_row, storage_row, task_row
from pvesim.api.users import listed
from pvesim.errors import bad_parameters, failed
from pvesim.http import json_bytes
from pvesim.parameters import TEXT, VMID, Param

ROUTES = Routes()
RECENT_TASKS = 25
LOWEST_VMID, HIGHEST_VMID = 100, 1_000_000
OPTIONS = {"next-id": Param(pattern=r"(lower=\d+|upper=\d+)(,(lower=\d+|upper=\d+))?"), "delete": TEXT}


@ROUTES.add("GET", "/cluster/status", protected=True, permission=Permission("/", ("Sys.Audit",)))
def status(call: Call) -> list[Json]:
    nodes = call.cluster.ordering.rows([_node_status(call, name) for name in call.cluster.nodes])
    return nodes if call.cluster.standalone else [_cluster_status(call), *nodes]


@ROUTES.add("GET", "/cluster/resources", {"type": Param(choices=("vm", "storage", "node", "sdn"))})
def resources(call: Call) -> object:
    """Made once for everybody who may see the same, as long as nothing has changed; figures change with the tick."""
    if not call.cluster.statd.interval:
        return _resources(call)
    key = (str(call.identity), call.identity.separated, call.entry_node.name, call.values.get("type"))
    return call.cluster.response_cache.document(key, _state(call), lambda: _document(call))


def _resources(call: Call) -> list[Json]:
    wanted = call.values.get("type")
    return [row for kind, rows in SECTIONS if wanted in (None, kind) for row in rows(call)]


def _document(call: Call) -> bytes:
    return json_bytes({"data": call.cluster.ordering.apply(_resources(call))})


def _state(call: Call) -> object:
    """Equal as long as the resources are."""
    cluster = call.cluster
    knowledge = [cluster.statd.knows(since) for since in call.unseen_since.values()]
    return cluster.timeline.generation, cluster.access.generation, cluster.statd.ticks, knowledge


@ROUTES.add("GET", "/cluster/nextid", {"vmid": VMID})
def nextid(call: Call) -> str:
    """The range is advice: it binds neither clones nor a question for one number."""
    used, vmid = call.cluster.statd.guests, call.values.get("vmid")
    if vmid in used:
        raise bad_parameters({"vmid": f"VM {vmid} already exists"})
    if vmid is None:
        wanted = dict(part.split("=") for part in call.cluster.options.get("next-id", "").split(",") if part)
        lower, upper = int(wanted.get("lower", LOWEST_VMID)), int(wanted.get("upper", HIGHEST_VMID))
        free = (number for number in range(lower, min(upper, lower + len(used) + 1)) if number not in used)
        vmid = next(free, None)
        if vmid is None:
            raise failed(f"unable to get any free VMID in range [{lower}, {upper}]")
    return str(vmid)


@ROUTES.add("GET", "/cluster/options")
def options(call: Call) -> Json:
    """Who may not audit is told only what the tags look like."""
    tags = sorted({tag for guest in call.cluster.guests for tag in guest.tags})
    public: Json = {"allowed-tags": tags} if call.cluster.release.is_since((7, 3)) else {}
    if not call.may("/", "Sys.Audit"):
        return public
    keyboard: Json = {"keyboard": call.cluster.keyboard} if call.cluster.keyboard else {}
    return {**public, **keyboard, "mac_prefix": "BC:24:11", **call.cluster.options}


@ROUTES.add("PUT", "/cluster/options", OPTIONS, permission=Permission("/", ("Sys.Modify",)), protected=True)
def change_options(call: Call) -> None:
    for name in listed(call.values.get("delete")):
        call.cluster.options.pop(name, None)
    call.cluster.options.update({name: call.values[name] for name in ("next-id",) if name in call.values})


@ROUTES.add("GET", "/cluster/tasks")
def tasks(call: Call) -> list[Json]:
    """A token without Sys.Audit sees nothing here, not even its own tasks."""
    sees_all = call.may("/", "Sys.Audit")
    owned = [task for task in call.cluster.tasks if sees_all or task.identity.owner == call.identity]
    return [task_row(task, saved=True) for task in reversed(owned[-RECENT_TASKS:])]


def _cluster_status(call: Call) -> Json:
    cluster = call.cluster
    return {
        "id": "cluster",
        "type": "cluster",
        "name": cluster.name,
        "nodes": len(cluster.nodes),
        "version": len(cluster.nodes),
        "quorate": int(cluster.is_quorate(call.entry_node)),
    }


def _node_status(call: Call, name: str) -> Json:
    node = call.cluster.nodes[name]
    return {
        "id": f"node/{name}",
        "type": "node",
        "name": name,
        "nodeid": 0 if call.cluster.standalone else node.number,
        "ip": node.address,
        "local": int(node is call.entry_node),
        "online": int(call.cluster.sees(call.entry_node, node)),
        "level": "",
    }


def _pools(call: Call) -> Iterator[Json]:
    for pool in call.cluster.access.pools.names():
        if call.may(f"/pool/{pool}", "Pool.Audit"):
            yield pool_row(call, pool)


def _guests(call: Call) -> Iterator[Json]:
    for guest in call.cluster.guests:
        if call.may(guest.path, "VM.Audit"):
            yield guest_row(call, guest)


def _nodes(call: Call) -> Iterator[Json]:
    """In another order each time, like the list of nodes."""
    for node in call.cluster.ordering.rows(list(call.cluster.nodes.values())):
        yield {**node_row(call, node), "cgroup-mode": 1}


def _storages(call: Call) -> Iterator[Json]:
    for storage in call.cluster.storages:
        if call.may(f"/storage/{storage.name}", "Datastore.Audit"):
            yield from (storage_row(call, storage, node) for node in call.cluster.nodes.values())


def _networks(call: Call) -> Iterator[Json]:
    if call.may("/sdn/zones/localnetwork", "SDN.Audit"):
        yield from (network_row(call, node) for node in call.cluster.nodes.values())


SECTIONS: tuple[tuple[str, Callable[[Call], Iterator[Json]]], ...] = (
    ("pool", _pools),
    ("vm", _guests),
    ("node", _nodes),
    ("storage", _storages),
    ("sdn", _networks),
)
