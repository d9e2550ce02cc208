"""Guests come and go: create, destroy, turn into a template; and their disks grow."""

from __future__ import annotations

import re

from pvesim.api.call import Call, Handler, Permission, Routes
from pvesim.api.clone import require_allocation
from pvesim.api.config import OPTIONS, apply
from pvesim.errors import TaskError, failed
from pvesim.guest_config import GIB, MIB
from pvesim.guests import Guest, Kind
from pvesim.parameters import FLAG, SKIPLOCK, TEXT, VMID, Param, required
from pvesim.power import held, noun, refuse_locked, wait_for_lock
from pvesim.state import ClusterState
from pvesim.tasks import Steps, Task

ROUTES = Routes()
ALLOCATES = Permission("/vms/{vmid}", ("VM.Allocate",))
RESIZES = Permission("/vms/{vmid}", ("VM.Config.Disk",))
NEW = {"pool": TEXT, "storage": TEXT}
SIZE = Param(pattern=r"\+?\d+(\.\d+)?[KMGT]?")
UNITS = {"": 1, "K": 1 << 10, "M": MIB, "G": GIB, "T": GIB << 10}


def create(call: Call) -> str:
    vmid = call.values["vmid"]
    require_allocation(call, vmid)
    existing = call.cluster.statd.guests.get(vmid)
    if existing is not None:
        where = f"VM {vmid} already exists on node '{existing.node}'"
        raise failed(f"unable to create VM {vmid} - {where}")
    call.require_quorum()
    generation = call.cluster.statd.guests_per_vmid[vmid]
    guest = Guest(call.cluster.timeline, vmid, f"VM{vmid}", call.node.name, lock="create", generation=generation)
    apply(call, guest, {name: call.values[name] for name in OPTIONS["qemu"] if name in call.values})
    call.cluster.register(guest, call.values.get("pool"))
    return call.start_task("qmcreate", str(vmid), lambda _: _build(call.cluster, guest))


def destroy(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        guest = call.guest(kind)
        _refuse_destruction(call, guest)

        def work(task: Task) -> Steps:
            yield from wait_for_lock(guest)
            with held(guest, task):
                if guest.lock != "suspended":
                    refuse_locked(guest)
                _refuse_base(call.cluster, guest)
                yield call.cluster.durations.destroy
                call.cluster.remove_guest(guest.vmid, is_listed=True)

        task_type = "qmdestroy" if kind == "qemu" else "vzdestroy"
        return call.start_task(task_type, str(guest.vmid), call.writing(guest, work))

    return handler


def convert(call: Call) -> str:
    guest = call.guest("qemu")
    if guest.template:
        raise failed("you can't convert a template to a template")
    if guest.snapshots:
        raise failed("unable to create template, because VM contains snapshots")
    if guest.is_up:
        raise failed("you can't convert a VM to template if VM is running")

    def work(_: Task) -> Steps:
        yield call.cluster.durations.config
        guest.template = True

    return call.start_task("qmtemplate", str(guest.vmid), call.writing(guest, work))


def resize(call: Call) -> str:
    guest, disk, size = call.guest("qemu"), call.values["disk"], call.values["size"]

    def work(_: Task) -> Steps:
        yield call.cluster.durations.config
        if disk != "scsi0":
            raise TaskError(f"disk '{disk}' does not exist")
        wanted = _bytes(size.lstrip("+")) + (guest.maxdisk if size.startswith("+") else 0)
        if wanted < guest.maxdisk:
            raise TaskError("shrinking disks is not supported")
        guest.maxdisk = wanted

    return call.start_task("resize", str(guest.vmid), call.writing(guest, work))


def _bytes(text: str) -> int:
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)", text).groups()  # type: ignore[union-attr]
    return int(float(number) * UNITS[unit])


def _build(cluster: ClusterState, guest: Guest) -> Steps:
    """A guest which was not finished goes again."""
    finished = False
    try:
        yield 0.0
        guest.lock = None
        finished = True
    finally:
        if not finished:
            cluster.remove_guest(guest.vmid)


def _refuse_destruction(call: Call, guest: Guest) -> None:
    """At once."""
    if guest.options.get("protection"):
        raise failed(f"can't remove {noun(guest)} {guest.vmid} - protection mode enabled")
    if guest.is_up and not call.values.get("force"):
        raise failed(_running_text(guest))
    if guest.ha is not None and not call.values.get("purge"):
        sid = f"{'vm' if guest.kind == 'qemu' else 'ct'}:{guest.vmid}"
        raise failed(
            f"unable to remove {noun(guest)} {guest.vmid} - used in HA resources and purge parameter not set. {sid}"
        )


def _refuse_base(cluster: ClusterState, guest: Guest) -> None:
    if any(other.base == guest.vmid for other in cluster.guests):
        volume = f"{guest.storage}:{guest.vmid}/base-{guest.vmid}-disk-0.qcow2"
        raise TaskError(f"base volume '{volume}' is still in use by linked cloned")


def _running_text(guest: Guest) -> str:
    if guest.kind == "qemu":
        return f"VM {guest.vmid} is running - destroy failed"
    return f"unable to destroy CT {guest.vmid} - container is running"


def _register(kind: Kind) -> None:
    place = f"/nodes/{{node}}/{kind}/{{vmid}}"
    removal = {"purge": FLAG, "destroy-unreferenced-disks": FLAG}
    removal |= {"skiplock": SKIPLOCK} if kind == "qemu" else {"force": FLAG}
    ROUTES.add("DELETE", place, removal, permission=ALLOCATES, protected=True)(destroy(kind))


NEW_GUEST = {"vmid": required(VMID), **NEW, **{name: option.param for name, option in OPTIONS["qemu"].items()}}
MACHINE = "/nodes/{node}/qemu/{vmid}"
ROUTES.add("POST", "/nodes/{node}/qemu", NEW_GUEST, protected=True)(create)
ROUTES.add("POST", f"{MACHINE}/template", permission=ALLOCATES, protected=True)(convert)
GROWTH = {"disk": required(TEXT), "size": required(SIZE), "digest": Param(longest=40), "skiplock": SKIPLOCK}
ROUTES.add("PUT", f"{MACHINE}/resize", GROWTH, permission=RESIZES, protected=True)(resize)
_register("qemu")
_register("lxc")
