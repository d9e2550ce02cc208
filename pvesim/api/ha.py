"""/cluster/ha: what high availability looks after, and how it is."""

from __future__ import annotations

from collections.abc import Iterator

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.errors import failed
from pvesim.guests import Guest
from pvesim.parameters import FLAG, Param, required

ROUTES = Routes()
AUDITS = Permission("/", ("Sys.Audit",))
MODIFIES = Permission("/", ("Sys.Console",))
SID = required(Param(pattern=r"((vm|ct):)?\d+", complaint="invalid format - value is not a valid HA resource ID\n"))
NEW = {"sid": SID, "state": Param(choices=("started", "stopped", "enabled", "disabled", "ignored"))}
KINDS = {"vm": "qemu", "ct": "lxc"}
NAMES = {kind: name for name, kind in KINDS.items()}


@ROUTES.add("GET", "/cluster/ha/status/current", permission=AUDITS)
def status(call: Call) -> list[Json]:
    quorate = call.cluster.is_quorate(call.entry_node)
    text = "OK" if quorate else "No quorum on node!"
    quorum = {"id": "quorum", "type": "quorum", "node": call.entry_node.name, "status": text, "quorate": int(quorate)}
    return [quorum, *_fencing(call), *(_managers(call) if _managed(call) else []), *map(_service, _managed(call))]


@ROUTES.add("GET", "/cluster/ha/status/manager_status", permission=AUDITS)
def manager_status(call: Call) -> Json:
    """As the manager writes it down; before it has anything to manage, it has written nothing."""
    quorum: Json = {"node": call.entry_node.name, "quorate": str(int(call.cluster.is_quorate(call.entry_node)))}
    nodes, managed, now = call.cluster.nodes.values(), _managed(call), int(call.now)
    if not managed:
        return {"manager_status": {}, "quorum": quorum, "lrm_status": {node.name: {} for node in nodes}}
    manager: Json = {
        "master_node": next(iter(nodes)).name,
        "node_status": {n.name: "online" if call.cluster.sees(call.entry_node, n) else "unknown" for n in nodes},
        "service_status": {sid(guest): {"node": guest.node, "state": guest.ha} for guest in managed},
        "timestamp": now,
    }
    lrm = {node.name: {"mode": "active", "state": "active", "timestamp": now, "results": {}} for node in nodes}
    return {"manager_status": manager, "quorum": quorum, "lrm_status": lrm}


@ROUTES.add("GET", "/cluster/ha/resources", {"type": Param(choices=("ct", "vm"))}, permission=AUDITS)
def resources(call: Call) -> list[Json]:
    wanted = KINDS.get(call.values.get("type", ""))
    return [
        {
            "sid": sid(guest),
            "type": NAMES[guest.kind],
            "state": _wanted_state(guest),
            "digest": guest.config()["digest"],
        }
        for guest in _managed(call)
        if wanted in (None, guest.kind)
    ]


@ROUTES.add("POST", "/cluster/ha/resources", NEW, permission=MODIFIES, protected=True)
def add_resource(call: Call) -> None:
    guest = _guest(call)
    if guest.ha is not None:
        raise failed(f"create ha resource failed: resource ID '{sid(guest)}' already defined")
    guest.ha = "started" if call.values.get("state", "started") == "started" else "stopped"


@ROUTES.add("DELETE", "/cluster/ha/resources/{sid}", {"purge": FLAG}, permission=MODIFIES, protected=True)
def remove_resource(call: Call) -> None:
    guest = _guest(call)
    if guest.ha is None:
        raise failed(f"delete ha resource failed: cannot delete service '{sid(guest)}', not HA managed!")
    guest.ha = None


@ROUTES.add("GET", "/cluster/ha/rules", permission=AUDITS, since=(9, 0))
def ha_rules(_: Call) -> list[Json]:
    return []


@ROUTES.add("GET", "/cluster/ha/groups", permission=AUDITS)
def ha_groups(call: Call) -> list[Json]:
    if call.cluster.release.major >= 9:
        raise failed("cannot index groups: ha groups have been migrated to rules")
    return []


def sid(guest: Guest) -> str:
    return f"{NAMES[guest.kind]}:{guest.vmid}"


def _guest(call: Call) -> Guest:
    vmid = int(call.values["sid"].rpartition(":")[2])
    guest = call.cluster.statd.guests.get(vmid)
    if guest is None:
        raise failed(f"unable to find VM {vmid}")
    return guest


def _managed(call: Call) -> list[Guest]:
    return [guest for guest in call.cluster.guests if guest.ha is not None]


def _fencing(call: Call) -> list[Json]:
    """A row which older releases do not have."""
    if not call.cluster.release.is_since((9, 2)):
        return []
    state = "armed" if _managed(call) else "standby"
    row: Json = {"id": "fencing", "type": "fencing", "node": call.entry_node.name, "armed-state": state}
    return [{**row, "status": f"{state} (CRM watchdog {'active' if state == 'armed' else state})"}]


def _managers(call: Call) -> Iterator[Json]:
    nodes, now = call.cluster.nodes.values(), int(call.now)
    master = next(iter(nodes)).name
    yield {"id": "master", "type": "master", "node": master, "status": f"{master} (active)", "timestamp": now}
    for node in nodes:
        text = "active" if call.cluster.sees(call.entry_node, node) else "old timestamp - dead?"
        row: Json = {"id": f"lrm:{node.name}", "type": "lrm", "node": node.name, "timestamp": now}
        yield {**row, "status": f"{node.name} ({text})"}


def _service(guest: Guest) -> Json:
    place: Json = {"id": f"service:{sid(guest)}", "type": "service", "sid": sid(guest), "node": guest.node}
    state = {"state": guest.ha, "crm_state": guest.ha, "request_state": _wanted_state(guest)}
    return {**place, **state, "status": f"{sid(guest)} ({guest.node}, {guest.ha})"}


def _wanted_state(guest: Guest) -> str:
    return "started" if guest.ha in ("started", "request_start") else "stopped"
