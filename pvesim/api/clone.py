"""Clones: what is refused at once, what the task refuses, and what a copy keeps of its source."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pvesim.api.call import Call, Handler, Permission, Routes
from pvesim.api.config import HOST_NAME, new_mac
from pvesim.errors import ApiError, TaskError, bad_parameters, failed, forbidden
from pvesim.guest_config import config_file, is_drive
from pvesim.guests import Guest, Kind
from pvesim.parameters import COUNT, FLAG, NODE, TEXT, VMID, Param, required
from pvesim.power import held, noun
from pvesim.storage import Storage
from pvesim.tasks import Steps, Task

ROUTES = Routes()
CLONES = Permission("/vms/{vmid}", ("VM.Clone",))
FORMATS = Param(choices=("raw", "qcow2", "vmdk"))
COPY = {
    "pool": TEXT,
    "storage": TEXT,
    "newid": required(VMID),
    "full": FLAG,
    "snapname": Param(longest=40),
    "target": NODE,
    "description": TEXT,
    "bwlimit": COUNT,
}
KIB = 1 << 10
# What a linked clone takes before anything is written into it.
LINKED_SIZE = 1 << 20
NO_ROOM = "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f qcow2 -O qcow2' failed: exit code 1"


def clone(kind: Kind) -> Handler:
    def handler(call: Call) -> str:
        source = _source(call, kind)
        require_allocation(call, call.values["newid"])
        full = bool(call.values.get("full", not source.template))
        storage = _storage(call, source, full)
        _refuse(call, source, full, storage)
        _require_places(call, source, storage)
        work = _Clone(call, source, full, storage).work
        return call.start_task("qmclone" if kind == "qemu" else "vzclone", str(source.vmid), work)

    return handler


def require_allocation(call: Call, vmid: int) -> None:
    pool = call.values.get("pool")
    places = [f"/vms/{vmid}", *([f"/pool/{pool}"] if pool else [])]
    if not any(call.may(place, "VM.Allocate") for place in places):
        raise ApiError(403, "Permission check failed\n")
    if pool is not None and pool not in call.cluster.access.pools:
        raise forbidden(f"pool '{pool}' does not exist")


def _source(call: Call, kind: Kind) -> Guest:
    vmid, node = call.values["vmid"], call.node.name
    guest = call.cluster.statd.guests.get(vmid)
    if guest is None or guest.kind != kind or guest.node != node:
        raise failed(
            f"unable to find configuration file for {'VM' if kind == 'qemu' else 'CT'} {vmid} on node '{node}'"
        )
    return guest


def _storage(call: Call, source: Guest, full: bool) -> Storage | None:
    """Where the copy's disks will be; None where that storage is not known, which only old tests do."""
    wanted = call.values.get("storage")
    for name in ("storage", "format"):
        if name in call.values and not full:
            raise failed(f"parameter '{name}' not allowed for linked clones")
    found = call.cluster.storage(wanted or source.storage)
    if wanted and found is None:
        raise failed(f"storage '{wanted}' does not exist")
    if wanted and found and "images" not in found.kinds:
        raise bad_parameters({"storage": f"storage '{wanted}' does not support vm images\n"})
    return found


def _refuse(call: Call, source: Guest, full: bool, storage: Storage | None) -> None:
    newid, target = call.values["newid"], call.values.get("target")
    existing = call.cluster.statd.guests.get(newid)
    if existing is not None and existing.node == source.node:
        raise failed(f"unable to create {noun(source)} {newid}: config file already exists")
    if not full and not source.template:
        raise failed(f"Linked clone feature is not supported for '{source.volume}' (scsi0)")
    if target is not None and target not in call.cluster.nodes:
        raise failed(f"no such cluster node '{target}'")
    if target not in (None, source.node):
        _refuse_target(call, source, target, storage)
    if call.values.get("snapname", "") not in ("", *source.snapshots):
        raise failed(f"snapshot '{call.values['snapname']}' does not exist")
    call.require_quorum()


def _refuse_target(call: Call, source: Guest, target: str, storage: Storage | None) -> None:
    if "storage" in call.values and storage and not storage.shared:
        raise failed(f"can't clone to non-shared storage '{storage.name}'")
    of_source = call.cluster.storage(source.storage)
    if of_source is None or not of_source.shared:
        raise failed(f"can't clone {noun(source)} to node '{target}' ({noun(source)} uses local storage)")


def _require_places(call: Call, source: Guest, storage: Storage | None) -> None:
    """On the storage, also for a linked clone, and on every bridge."""
    if storage:
        call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
    if call.cluster.release.major >= 8 and source.kind == "qemu":
        for bridge in source.bridges:
            call.require(call.cluster.network_path(bridge), "SDN.Use")


@dataclass(frozen=True)
class _Clone:
    """What was asked for and is possible, as the work of a task."""

    call: Call
    source: Guest
    full: bool
    storage: Storage | None

    def work(self, task: Task) -> Steps:
        cluster, source, newid = self.call.cluster, self.source, self.call.values["newid"]
        task.log(f"creating a clone of {noun(source)} {source.vmid} with ID {newid}")
        if newid in cluster.statd.guests:  # on another node, which only the file system of the cluster tells
            path = f"/etc/pve/{config_file(source.node, source.kind, newid)}"
            raise TaskError(f"close (rename) atomic file '{path}' failed: File exists")
        copy = _copy(self.call, source, self.full)
        copy.storage = self.storage.name if self.storage else copy.storage
        cluster.register(copy)
        is_done = False
        try:
            with held(copy, task):
                yield from self._copied(copy, task)
            is_done = True
        finally:
            source.read_until.pop(newid, None)
            if not is_done:
                self._tidy_up(copy, task)
        self._finish(copy)

    def _copied(self, copy: Guest, task: Task) -> Steps:
        """The time that it takes, and the room."""
        durations, limit, storage = self.call.cluster.durations, self.call.values.get("bwlimit"), self.storage
        seconds = durations.full_clone if self.full else durations.clone
        if self.full and limit:
            seconds = self.source.maxdisk / KIB / limit
        size = self.source.maxdisk if self.full else LINKED_SIZE
        if storage and self.call.cluster.used(storage, self.source.node) + size > storage.total:
            yield seconds / 2
            task.log("qemu-img: error while writing at byte 0: No space left on device")
            raise TaskError(NO_ROOM)
        copy.allocated = size
        if self.full:
            self.source.read_until[copy.vmid] = self.call.cluster.timeline.now() + seconds
        yield seconds

    def _tidy_up(self, copy: Guest, task: Task) -> None:
        """A worker that was killed leaves a locked configuration and half a disk, for root@pam alone to take away."""
        if task.is_killed:
            copy.allocated //= 2
        elif self.call.cluster.statd.guests.get(copy.vmid) is copy:
            self.call.cluster.remove_guest(copy.vmid)

    def _finish(self, copy: Guest) -> None:
        copy.lock, copy.is_incomplete = None, False
        copy.node = self.call.values.get("target", copy.node)
        if pool := self.call.values.get("pool"):
            self.call.cluster.access.pools.put(copy.vmid, pool)


def _copy(call: Call, source: Guest, full: bool) -> Guest:
    name, newid = call.values.get("name") or call.values.get("hostname"), call.values["newid"]
    return replace(
        source,
        vmid=newid,
        name=name or f"Copy-of-{noun(source)}-{source.name}",
        description=call.values.get("description", source.description).rstrip("\n"),
        initial="stopped",
        template=False,
        lock="clone" if source.kind == "qemu" else "create",
        base=None if full else source.vmid,
        is_incomplete=source.kind == "qemu",
        allocated=0,
        options={key: _copied_option(call, key, value, newid) for key, value in source.options.items()},
        generation=call.cluster.statd.guests_per_vmid[newid],
        addresses=(),
        parent=None,
        snapshots={},
        pending={},
        cloudinit={},
        read_until={},
        ha=None,
        lock_holder=None,
        pid=0,
    )


def _copied_option(call: Call, key: str, value: str | int, newid: int) -> str | int:
    """As it is, but for what belongs to one machine: hardware addresses and the drive for cloud-init."""
    if re.fullmatch(r"net\d+", key):
        return re.sub(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}", lambda _: new_mac(call), str(value))
    if is_drive(key) and "cloudinit" in str(value):
        storage = call.values.get("storage") or str(value).split(":")[0]
        return f"{storage}:{newid}/vm-{newid}-cloudinit.qcow2,media=cdrom"
    return value


def _register(kind: Kind) -> None:
    named = {"name": HOST_NAME, "format": FORMATS} if kind == "qemu" else {"hostname": HOST_NAME}
    place = f"/nodes/{{node}}/{kind}/{{vmid}}/clone"
    ROUTES.add("POST", place, {**COPY, **named}, permission=CLONES, protected=True)(clone(kind))


_register("qemu")
_register("lxc")
