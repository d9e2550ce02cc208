"""/nodes/{node}/qemu/{vmid}/snapshot and the same of containers"""

from __future__ import annotations

from pvesim.api.call import Call, Handler, Json, Permission, Routes
from pvesim.errors import failed
from pvesim.guests import Kind
from pvesim.parameters import FLAG, TEXT, Param, required
from pvesim.snapshots import Snapshots, Work

ROUTES = Routes()
PREFIX = {"qemu": "qm", "lxc": "vz"}
RESERVED = ("current", "pending")
NAME = Param(
    longest=40,
    pattern=r"[a-zA-Z][a-zA-Z0-9_-]+",
    complaint="invalid format - invalid configuration ID '{}'\n",
)
SEES = Permission("/vms/{vmid}", ("VM.Audit",))
SEES_ONE = Permission("/vms/{vmid}", ("VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"))
TAKES = Permission("/vms/{vmid}", ("VM.Snapshot",))
ROLLS_BACK = Permission("/vms/{vmid}", ("VM.Snapshot", "VM.Snapshot.Rollback"))


def listed(kind: Kind) -> Handler:
    def handler(call: Call) -> list[Json]:
        guest = call.guest(kind)
        rows: list[Json] = [
            {
                "name": snapshot.name,
                "description": snapshot.description,
                "snaptime": int(snapshot.taken),
                **({"vmstate": int(snapshot.vmstate)} if kind == "qemu" else {}),
                **({"snapstate": snapshot.state} if snapshot.state else {}),
                **_parent(snapshot.parent),
            }
            for snapshot in guest.snapshots.values()
        ]
        here: Json = {"name": "current", "description": "You are here!", "running": int(guest.is_up)}
        return [*rows, {**here, "digest": guest.config()["digest"], **_parent(guest.parent)}]

    return handler


def read(kind: Kind) -> Handler:
    def handler(call: Call) -> Json:
        guest, name = call.guest(kind), call.values["snapname"]
        if name not in guest.snapshots:
            raise failed(f"snapshot '{name}' does not exist")
        return guest.snapshots[name].config_row()

    return handler


def create(call: Call, work: Snapshots) -> Work:
    name = call.values["snapname"]
    if name in RESERVED:
        raise failed(f"unable to use snapshot name '{name}' (reserved name)")
    return work.create(name, call.values.get("description", ""), call.values.get("vmstate", False))


def roll_back(call: Call, work: Snapshots) -> Work:
    start = call.values.get("start", False)
    if start:
        call.require(work.guest.path, "VM.PowerMgmt")
    return work.roll_back(call.values["snapname"], start)


def delete(call: Call, work: Snapshots) -> Work:
    return work.delete(call.values["snapname"], force=call.values.get("force", False))


WORKS = {"snapshot": create, "rollback": roll_back, "delsnapshot": delete}


def act(kind: Kind, task_type: str) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        work = WORKS[task_type](call, Snapshots(guest, call.cluster.durations))
        return call.start_task(PREFIX[kind] + task_type, str(guest.vmid), call.writing(guest, work))

    return handler


def _parent(name: str | None) -> Json:
    return {"parent": name} if name else {}


def _register(kind: Kind) -> None:
    place = f"/nodes/{{node}}/{kind}/{{vmid}}/snapshot"
    new = {"snapname": required(NAME), "description": TEXT}
    new |= {"vmstate": FLAG} if kind == "qemu" else {}
    one = {"snapname": required(NAME)}
    ROUTES.add("GET", place, permission=SEES, protected=True)(listed(kind))
    ROUTES.add("POST", place, new, permission=TAKES, protected=True)(act(kind, "snapshot"))
    ROUTES.add("GET", f"{place}/{{snapname}}/config", one, permission=SEES_ONE)(read(kind))
    again = {**one, "start": FLAG}
    ROUTES.add("POST", f"{place}/{{snapname}}/rollback", again, permission=ROLLS_BACK, protected=True)(
        act(kind, "rollback")
    )
    gone = {**one, "force": FLAG}
    ROUTES.add("DELETE", f"{place}/{{snapname}}", gone, permission=TAKES, protected=True)(act(kind, "delsnapshot"))


_register("qemu")
_register("lxc")
