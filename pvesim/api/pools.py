"""/pools"""

from __future__ import annotations

from pvesim.api.call import Call, Json, Permission, Routes
from pvesim.api.rows import pool_member_row
from pvesim.errors import failed
from pvesim.parameters import TEXT, Param, since

ROUTES = Routes()
MEMBER_TYPE = Param(choices=("qemu", "lxc", "storage"))
SEES = Permission("/pool/{poolid}", ("Pool.Audit",))


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
    content = _with_members(call, call.values["poolid"])
    return {key: value for key, value in content.items() if key != "poolid"}


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
