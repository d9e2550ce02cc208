"""/storage and /nodes/{node}/storage"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.errors import failed
from pvesim.guests import Guest
from pvesim.parameters import FLAG, NODE, TEXT, VMID
from pvesim.storage import Storage

ROUTES = Routes()
USES = Permission("/storage/{storage}", ("Datastore.Audit", "Datastore.AllocateSpace"))
FILTERS = {"content": TEXT, "enabled": FLAG, "format": FLAG, "storage": TEXT, "target": NODE}
BLOCK = 4096


@ROUTES.add("GET", "/storage", {"type": TEXT}, unordered=True)
def configured(call: Call) -> list[Json]:
    """The configuration, which is the same for all nodes."""
    wanted = call.values.get("type")
    return [_config(call, storage) for storage in _visible(call) if wanted in (None, storage.plugin)]


@ROUTES.add("GET", "/storage/{storage}", permission=Permission("/storage/{storage}", ("Datastore.Allocate",)))
def config(call: Call) -> Json:
    return _config(call, _named(call))


@ROUTES.add("GET", "/nodes/{node}/storage", FILTERS, protected=True, unordered=True)
def storages(call: Call) -> list[Json]:
    """With `content`, those that take any of these kinds."""
    name, wanted = call.values.get("storage"), set(filter(None, call.values.get("content", "").split(",")))
    return [
        {
            "storage": storage.name,
            **_status(call, storage),
            "used_fraction": call.cluster.used(storage, call.node.name) / storage.total,
        }
        for storage in _visible(call)
        if name in (None, storage.name) and (not wanted or wanted & storage.kinds)
    ]


@ROUTES.add("GET", "/nodes/{node}/storage/{storage}", permission=USES)
def index(call: Call) -> list[Json]:
    _named(call)
    return [{"subdir": name} for name in ("content", "prunebackups", "rrd", "rrddata", "status", "upload")]


@ROUTES.add("GET", "/nodes/{node}/storage/{storage}/status", permission=USES, protected=True)
def status(call: Call) -> Json:
    return _status(call, _named(call))


@ROUTES.add(
    "GET", "/nodes/{node}/storage/{storage}/content", {"content": TEXT, "vmid": VMID}, permission=USES, protected=True
)
def content(call: Call) -> list[Json]:
    """The disks of the guests of this node which one may see."""
    storage, kind = _named(call), call.values.get("content")
    if any(_is_written(call, storage, guest) for guest in call.cluster.guests):
        raise failed('Failed to get shared "write" lock')
    return [row for row in _volumes(call, storage) if kind in (None, row["content"])]


def _is_written(call: Call, storage: Storage, guest: Guest) -> bool:
    """A full clone copies a disk into it: what reads the disks then is locked out."""
    is_copied = guest.is_incomplete and guest.lock_holder is not None and guest.base is None
    return is_copied and guest.storage == storage.name and storage.is_reached_from(call.node.name, guest.node)


def _volumes(call: Call, storage: Storage) -> Iterator[Json]:
    for guest in call.cluster.guests:
        is_here = storage.is_reached_from(call.node.name, guest.node)
        is_wanted = call.values.get("vmid") in (None, guest.vmid) and is_here
        if is_wanted and guest.volume.startswith(f"{storage.name}:") and _may_see(call, storage, guest):
            yield _volume(call, guest)


def _volume(call: Call, guest: Guest) -> Json:
    return {
        "volid": guest.volume,
        "content": "images" if guest.kind == "qemu" else "rootdir",
        "format": "qcow2" if guest.kind == "qemu" else "raw",
        "size": guest.maxdisk,
        "used": guest.maxdisk // 8 // BLOCK * BLOCK,
        "ctime": int(call.cluster.began),
        "vmid": guest.vmid,
        "parent": f"../{guest.base}/base-{guest.base}-disk-0.qcow2" if guest.base else None,
    }


def _may_see(call: Call, storage: Storage, guest: Guest) -> bool:
    """One's own guests, or everything for who allocates on the storage."""
    return call.may(f"/storage/{storage.name}", "Datastore.Allocate") or call.may(guest.path, "VM.Config.Disk")


def _visible(call: Call) -> list[Storage]:
    needed = ("Datastore.Audit", "Datastore.AllocateSpace")
    return [storage for storage in call.cluster.storages if call.may(f"/storage/{storage.name}", *needed)]


def _named(call: Call) -> Storage:
    name = call.values["storage"]
    found = next((storage for storage in call.cluster.storages if storage.name == name), None)
    if found is None:
        raise failed(f"storage '{name}' does not exist")
    return found


def _status(call: Call, storage: Storage) -> Json:
    used = min(storage.total, call.cluster.used(storage, call.node.name))
    return {
        "type": storage.plugin,
        "content": storage.content,
        "active": 1,
        "enabled": 1,
        "shared": int(storage.shared),
        "total": storage.total,
        "used": used,
        "avail": storage.total - used,
    }


def _config(call: Call, storage: Storage) -> Json:
    everything = repr(call.cluster.storages).encode()
    return {
        "storage": storage.name,
        "type": storage.plugin,
        "content": storage.content,
        "path": storage.path,
        **({"shared": 1} if storage.shared else {}),
        "digest": hashlib.sha1(everything, usedforsecurity=False).hexdigest(),
    }
