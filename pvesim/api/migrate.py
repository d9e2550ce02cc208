"""Guests move from node to node."""

from __future__ import annotations

from pvesim.api.call import Call, Handler, Permission, Routes
from pvesim.errors import bad_parameters, failed
from pvesim.guests import Kind
from pvesim.parameters import COUNT, FLAG, NODE, TEXT, Param, required
from pvesim.power import held, noun, refuse_locked, wait_for_lock
from pvesim.tasks import Steps, Task

ROUTES = Routes()
MIGRATES = Permission("/vms/{vmid}", ("VM.Migrate",))
COMMON = {"target": required(NODE), "online": FLAG, "bwlimit": COUNT}
PARAMS: dict[Kind, dict[str, Param]] = {
    "qemu": {**COMMON, "with-local-disks": FLAG, "targetstorage": TEXT},
    "lxc": {**COMMON, "restart": FLAG, "timeout": COUNT},
}


def migrate(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        guest, target = call.guest(kind), call.values["target"]
        if target == guest.node:
            raise bad_parameters({"target": "target is local node."})
        if target not in call.cluster.nodes:
            raise failed(f"no such cluster node '{target}'")
        call.require_quorum()
        if guest.is_up and not (call.values.get("online") or call.values.get("restart")):
            raise failed(f"can't migrate running {noun(guest)} without --online")

        def work(task: Task) -> Steps:
            yield from wait_for_lock(guest)
            with held(guest, task):
                refuse_locked(guest)
                guest.lock = "migrate"
                task.log(f"starting migration of {noun(guest)} {guest.vmid} to node '{target}'")
                try:
                    yield call.cluster.durations.migrate
                    guest.node = target
                finally:
                    guest.lock = None

        return call.start_task("qmigrate" if kind == "qemu" else "vzmigrate", str(guest.vmid), work)

    return handler


for _kind, _params in PARAMS.items():
    _path = f"/nodes/{{node}}/{_kind}/{{vmid}}/migrate"
    ROUTES.add("POST", _path, _params, permission=MIGRATES, protected=True)(migrate(_kind))
