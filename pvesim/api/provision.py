"""Guests come and go: create, clone, destroy."""

from __future__ import annotations

from dataclasses import replace

from pvesim.api.call import Call, Handler, Permission, Routes
from pvesim.api.config import HOST_NAME, OPTIONS, apply
from pvesim.errors import ApiError, TaskError, failed, forbidden
from pvesim.guests import Guest, Kind
from pvesim.parameters import COUNT, FLAG, NODE, SKIPLOCK, TEXT, VMID, Param, required
from pvesim.power import noun, refuse_locked
from pvesim.state import ClusterState
from pvesim.tasks import Steps, Task

ROUTES = Routes()
CLONES = Permission("/vms/{vmid}", ("VM.Clone",))
ALLOCATES = Permission("/vms/{vmid}", ("VM.Allocate",))
NEW = {"pool": TEXT, "storage": TEXT}
COPY = {
    **NEW,
    "newid": required(VMID),
    "full": FLAG,
    "snapname": Param(longest=40),
    "target": NODE,
    "description": TEXT,
    "bwlimit": COUNT,
}


def create(call: Call) -> str:
    vmid = call.values["vmid"]
    _require_allocation(call, vmid)
    existing = call.cluster.statd.guests.get(vmid)
    if existing is not None:
        where = f"VM {vmid} already exists on node '{existing.node}'"
        raise failed(f"unable to create VM {vmid} - {where}")
    call.require_quorum()
    guest = Guest(call.cluster.timeline, vmid, f"VM{vmid}", call.node.name, lock="create")
    apply(guest, {name: call.values[name] for name in OPTIONS["qemu"] if name in call.values})
    call.cluster.register(guest, call.values.get("pool"))
    return call.start_task("qmcreate", str(vmid), lambda _: _build(call.cluster, guest, 0.0))


def clone(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        source = call.guest(kind)
        _require_allocation(call, call.values["newid"])
        full = bool(call.values.get("full", not source.template))
        _refuse_clone(call, source, full)
        durations = call.cluster.durations
        copy = _copy(call, source, full)
        call.cluster.register(copy, call.values.get("pool"))

        def work(task: Task) -> Steps:
            task.log(f"creating a clone of {noun(source)} {source.vmid} with ID {copy.vmid}")
            yield from _build(call.cluster, copy, durations.full_clone if full else durations.clone)

        return call.start_task("qmclone" if kind == "qemu" else "vzclone", str(source.vmid), work)

    return handler


def destroy(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        if guest.is_up and not call.values.get("force"):
            raise failed(_running_text(guest))

        def work(_: Task) -> Steps:
            _refuse_destruction(call.cluster, guest)
            yield call.cluster.durations.destroy
            call.cluster.remove_guest(guest.vmid)

        task_type = "qmdestroy" if kind == "qemu" else "vzdestroy"
        return call.start_task(task_type, str(guest.vmid), call.writing(guest, work))

    return handler


def _require_allocation(call: Call, vmid: int) -> None:
    pool = call.values.get("pool")
    if pool is not None and pool not in call.cluster.access.pools:
        raise forbidden(f"pool '{pool}' does not exist")
    places = [f"/vms/{vmid}", *([f"/pool/{pool}"] if pool else [])]
    if not any(call.may(place, "VM.Allocate") for place in places):
        raise ApiError(403, "Permission check failed\n")


def _refuse_clone(call: Call, source: Guest, full: bool) -> None:
    newid, target = call.values["newid"], call.values.get("target")
    if newid in call.cluster.statd.guests:
        raise failed(f"unable to create {noun(source)} {newid}: config file already exists")
    if not full and not source.template:
        raise failed(f"Linked clone feature is not supported for '{source.volume}' (scsi0)")
    for name in ("storage", "format"):
        if name in call.values and not full:
            raise failed(f"parameter '{name}' not allowed for linked clones")
    if target not in (None, source.node):
        raise failed(f"can't clone {noun(source)} to node '{target}' ({noun(source)} uses local storage)")
    if call.values.get("snapname", "") not in ("", *source.snapshots):
        raise failed(f"snapshot '{call.values['snapname']}' does not exist")
    call.require_quorum()


def _copy(call: Call, source: Guest, full: bool) -> Guest:
    name = call.values.get("name") or call.values.get("hostname")
    return replace(
        source,
        vmid=call.values["newid"],
        name=name or f"Copy-of-{noun(source)}-{source.name}",
        description=call.values.get("description", source.description),
        initial="stopped",
        template=False,
        lock="clone" if source.kind == "qemu" else "create",
        base=None if full else source.vmid,
        options={name: value for name, value in source.options.items() if not name.startswith("net")},
        addresses=(),
        parent=None,
        snapshots={},
        pending={},
        ha=None,
        lock_holder=None,
        pid=0,
    )


def _build(cluster: ClusterState, guest: Guest, seconds: float) -> Steps:
    """A guest which was not finished goes again."""
    finished = False
    try:
        yield seconds
        guest.lock = None
        finished = True
    finally:
        if not finished:
            cluster.remove_guest(guest.vmid)


def _refuse_destruction(cluster: ClusterState, guest: Guest) -> None:
    refuse_locked(guest)
    if any(other.base == guest.vmid for other in cluster.guests):
        volume = f"data:{guest.vmid}/base-{guest.vmid}-disk-0.qcow2"
        raise TaskError(f"base volume '{volume}' is still in use by linked cloned")


def _running_text(guest: Guest) -> str:
    if guest.kind == "qemu":
        return f"VM {guest.vmid} is running - destroy failed"
    return f"unable to destroy CT {guest.vmid} - container is running"


def _register(kind: Kind) -> None:
    place = f"/nodes/{{node}}/{kind}/{{vmid}}"
    named = {"name": HOST_NAME, "format": TEXT} if kind == "qemu" else {"hostname": HOST_NAME}
    removal = {"purge": FLAG, "destroy-unreferenced-disks": FLAG}
    removal |= {"skiplock": SKIPLOCK} if kind == "qemu" else {"force": FLAG}
    ROUTES.add("POST", f"{place}/clone", {**COPY, **named}, permission=CLONES, protected=True)(clone(kind))
    ROUTES.add("DELETE", place, removal, permission=ALLOCATES, protected=True)(destroy(kind))


NEW_GUEST = {"vmid": required(VMID), **NEW, **{name: option.param for name, option in OPTIONS["qemu"].items()}}
ROUTES.add("POST", "/nodes/{node}/qemu", NEW_GUEST, protected=True)(create)
_register("qemu")
_register("lxc")
