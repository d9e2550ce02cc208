"""/pools: read, made, changed and deleted. A pool within another one is named `outer/inner`."""

from __future__ import annotations

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.api.rows import pool_member_row
from pvesim.api.users import listed, writing
from pvesim.errors import ApiError, failed
from pvesim.parameters import FLAG, TEXT, Param, required, since

ROUTES = Routes()
MEMBER_TYPE = Param(choices=("qemu", "lxc", "storage"))
SEES = Permission("/pool/{poolid}", ("Pool.Audit",))
CHANGES = Permission("/pool/{poolid}", ("Pool.Allocate",))
NAME = r"[A-Za-z0-9._-]+"
POOLID = required(
    Param(pattern=rf"{NAME}(/{NAME}){{0,2}}", complaint="invalid format - value '{}' is not a valid pool name\n")
)
SETTINGS = {"comment": TEXT, "vms": TEXT, "storage": TEXT, "delete": FLAG, "allow-move": since((8, 1), FLAG)}


@ROUTES.add("GET", "/pools", {"poolid": since((8, 0), TEXT), "type": since((8, 0), MEMBER_TYPE)})
def pools(call: Call) -> list[Json]:
    """Named by a parameter, a pool shows its members to everybody who is logged in, as the real one does."""
    poolid = call.values.get("poolid")
    if poolid is not None:
        return [_with_members(call, poolid)]
    names = call.cluster.access.pools.names()
    return [_head(call, name) for name in names if call.may(f"/pool/{name}", "Pool.Audit")]


@ROUTES.add("GET", "/pools/{poolid}", {"type": MEMBER_TYPE}, permission=SEES)
def pool(call: Call) -> Json:
    """A path has no room for a pool within another one: the call does not exist then."""
    return _with_members(call, call.values["poolid"])


@ROUTES.add("POST", "/pools", {"poolid": POOLID, "comment": TEXT}, protected=True)
def create(call: Call) -> None:
    pools, name = call.cluster.access.pools, call.values["poolid"]
    call.require(f"/pool/{name}", "Pool.Allocate")
    if name in pools:
        raise failed(f"create pool failed: pool '{name}' already exists")
    outer = name.rpartition("/")[0]
    if outer and outer not in pools:
        raise failed(f"create pool failed: parent '{outer}' of pool '{name}' does not exist")
    writing(call, "create pool", lambda: pools.add(name, call.values.get("comment", "")))


@ROUTES.add("PUT", "/pools", {"poolid": POOLID, **SETTINGS}, protected=True, since=(8, 0))
def change(call: Call) -> None:
    name = call.values["poolid"]
    call.require(f"/pool/{name}", "Pool.Allocate")
    pools = call.cluster.access.pools
    if name not in pools:
        raise failed(f"update pools failed: pool '{name}' does not exist")
    vmids = [int(text) for text in listed(call.values.get("vms"))]
    for vmid in vmids:
        _refuse_member(call, name, vmid)

    def update() -> None:
        if "comment" in call.values:
            pools.comments[name] = call.values["comment"]
        for vmid in vmids:
            pools.put(vmid, None if call.values.get("delete") else name)

    writing(call, "update pools", update)


@ROUTES.add("PUT", "/pools/{poolid}", SETTINGS, permission=CHANGES, protected=True)
def change_by_path(call: Call) -> None:
    change(call)


@ROUTES.add("DELETE", "/pools", {"poolid": POOLID}, protected=True, since=(8, 0))
def delete(call: Call) -> None:
    pools, name = call.cluster.access.pools, call.values["poolid"]
    call.require(f"/pool/{name}", "Pool.Allocate")
    if name not in pools:
        raise failed(f"delete pool failed: pool '{name}' does not exist")
    inner = [other for other in pools.names() if other.startswith(f"{name}/")]
    if inner:
        raise failed(f"delete pool failed: pool '{name}' is not empty (contains pool '{inner[0]}')")
    if pools.members(name):
        raise failed(f"delete pool failed: pool '{name}' is not empty (contains VM {pools.members(name)[0]})")
    writing(call, "delete pool", lambda: pools.remove(name))


@ROUTES.add("DELETE", "/pools/{poolid}", permission=CHANGES, protected=True)
def delete_by_path(call: Call) -> None:
    delete(call)


def _refuse_member(call: Call, name: str, vmid: int) -> None:
    """Only those who may give others rights on a guest may change its pool."""
    former = call.cluster.access.pools.pool_of(vmid)
    if not call.may(f"/vms/{vmid}", "Permissions.Modify", "VM.Allocate"):
        raise ApiError(403, f"Permission check failed (/vms/{vmid}, Permissions.Modify)\n")
    if call.values.get("delete"):
        if former != name:
            raise failed(f"update pools failed: VM {vmid} is not a pool member")
    elif former == name:
        raise failed(f"update pools failed: VM {vmid} is already a pool member")
    elif former is not None and not call.values.get("allow-move"):
        text = f"VM {vmid} belongs already to pool '{former}' and 'allow-move' is not set"
        raise failed(f"update pools failed: {text}")


def _head(call: Call, name: str) -> Json:
    comment = call.cluster.access.pools.comments.get(name)
    return {"poolid": name, **({"comment": comment} if comment else {})}


def _with_members(call: Call, name: str) -> Json:
    pools = call.cluster.access.pools
    if name not in pools:
        raise failed(f"pool '{name}' does not exist")
    wanted = call.values.get("type")
    guests = [call.cluster.statd.guests[vmid] for vmid in pools.members(name) if vmid in call.cluster.statd.guests]
    rows = [pool_member_row(call, guest) for guest in guests if wanted in (None, guest.kind)]
    return {**_head(call, name), "members": rows}
