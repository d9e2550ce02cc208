"""The rows of which lists are made."""

from __future__ import annotations

import zlib

from pvesim.api.call import Call, Json
from pvesim.guests import Guest
from pvesim.nodes import Node
from pvesim.statd import GuestStats
from pvesim.storage import Storage
from pvesim.tasks import Task

PRESSURE = [f"pressure{what}{share}" for what in ("cpu", "io", "memory") for share in ("some", "full")]


def guest_row(call: Call, guest: Guest) -> Json:
    """As /cluster/resources shows it: figures as of the last tick, the rest as of now."""
    pool = call.cluster.access.pools.pool_of(guest.vmid)
    may_see_pool = pool is not None and call.may(f"/pool/{pool}", "Pool.Audit")
    return {**pool_member_row(call, guest), **({"pool": pool} if may_see_pool else {}), **_marks(guest)}


def pool_member_row(call: Call, guest: Guest) -> Json:
    place: Json = {
        "id": f"{guest.kind}/{guest.vmid}",
        "type": guest.kind,
        "vmid": guest.vmid,
        "node": guest.node,
    }
    stats = stats_of(call, guest)
    if stats is None:
        return {**place, "status": "unknown", "template": int(guest.template)}
    has_memhost = guest.kind == "qemu" and call.cluster.release.major >= 9
    memhost: Json = {"memhost": stats.mem} if has_memhost else {}
    return {**place, **vars(stats), **memhost, "template": int(stats.template)}


def stats_of(call: Call, guest: Guest) -> GuestStats | None:
    return call.cluster.statd.stats(guest, call.unseen_since.get(guest.node))


def live_row(call: Call, guest: Guest) -> Json:
    """As the guest's own node shows it."""
    row: Json = {
        "vmid": guest.vmid,
        "name": guest.name,
        "status": "running" if guest.is_up else "stopped",
        "uptime": guest.uptime,
        "cpu": guest.cpu,
        "cpus": guest.maxcpu,
        "mem": guest.mem,
        "maxmem": guest.maxmem,
        "disk": 0 if guest.kind == "qemu" or not guest.is_up else guest.maxdisk // 4,
        "maxdisk": guest.maxdisk,
        "netin": guest.traffic("netin", 2000),
        "netout": guest.traffic("netout", 1000),
    }
    marks = {key: value for key, value in _marks(guest).items() if key != "hastate"}
    return {**row, **_kind_fields(call, guest), **marks, **_process(guest)}


def machine_row(guest: Guest) -> Json:
    """What a virtual machine's own process is asked for."""
    row: Json = {"qmpstatus": guest.status}
    if guest.agent != "off":
        row["agent"] = 1
    if guest.has_spice:
        row["spice"] = 1
    if guest.is_up:
        card = f"tap{guest.vmid}i0"
        traffic = {"netin": guest.traffic("netin", 2000), "netout": guest.traffic("netout", 1000)}
        disks = _disk_traffic(guest)
        blocks = {"scsi0": {"rd_bytes": disks["diskread"], "wr_bytes": disks["diskwrite"], "failed_rd_operations": 0}}
        row |= {**disks, "blockstat": blocks, "nics": {card: traffic}}
        row |= {"running-qemu": "10.1.2", "running-machine": "pc-i440fx-10.1+pve0"}
    return row


def node_row(call: Call, node: Node) -> Json:
    online = call.cluster.sees(call.entry_node, node)
    row: Json = {
        "id": f"node/{node.name}",
        "type": "node",
        "node": node.name,
        "status": "online" if online else "offline",
        "level": "",
    }
    if not call.may(f"/nodes/{node.name}", "Sys.Audit"):
        return row
    sizes: Json = {"maxcpu": node.maxcpu, "maxmem": node.maxmem, "maxdisk": node.maxdisk}
    return {**row, **sizes, **(node_stats(call, node) if online else {})}


def node_stats(call: Call, node: Node) -> Json:
    noise = zlib.crc32(f"{node.name}:{int(call.now) // 10}".encode()) / 2**32
    used = call.cluster.statd.memory_by_node().get(node.name, 0)
    return {
        "cpu": round(0.02 + 0.2 * noise, 6),
        "mem": min(node.maxmem, node.maxmem // 16 + used),
        "disk": node.maxdisk // 8,
        "uptime": int(call.now - call.cluster.began) + 2000,
    }


def storage_row(call: Call, storage: Storage, node: Node) -> Json:
    row: Json = {
        "id": f"storage/{node.name}/{storage.name}",
        "type": "storage",
        "storage": storage.name,
        "node": node.name,
        "plugintype": storage.plugin,
        "content": storage.content,
        "shared": int(storage.shared),
    }
    if not call.cluster.sees(call.entry_node, node):
        return {**row, "status": "unknown"}
    return {**row, "status": "available", "disk": call.cluster.used(storage, node.name), "maxdisk": storage.total}


def network_row(call: Call, node: Node) -> Json:
    """Before version 9 a zone was of a type of its own."""
    online = call.cluster.sees(call.entry_node, node)
    if call.cluster.release.major < 9:
        zone: Json = {"id": f"sdn/{node.name}/localnetwork", "type": "sdn", "sdn": "localnetwork", "node": node.name}
        return {**zone, "status": "ok" if online else "unknown"}
    return {
        "id": f"network/{node.name}/zone/localnetwork",
        "type": "network",
        "network": "localnetwork",
        "network-type": "zone",
        "node": node.name,
        "status": "ok" if online else "unknown",
    }


def pool_row(call: Call, pool: str) -> Json:
    known = call.cluster.statd.guests
    members = (known[vmid] for vmid in call.cluster.access.pools.members(pool) if vmid in known)
    stats = [one for one in (stats_of(call, member) for member in members) if one]
    return {
        "id": f"/pool/{pool}",
        "type": "pool",
        "pool": pool,
        "uptime": max((one.uptime for one in stats), default=0),
        "cpu": sum(one.cpu for one in stats),
        "maxcpu": sum(one.maxcpu for one in stats),
        "mem": sum(one.mem for one in stats),
        "maxmem": sum(one.maxmem for one in stats),
    }


def task_row(task: Task, *, saved: bool = False) -> Json:
    """In lists the result stands where the status does in the answer about one task."""
    row: Json = {
        "upid": task.upid,
        "node": task.node,
        "type": task.type,
        "id": task.id,
        "user": task.identity.user,
        "starttime": int(task.starttime),
    }
    if task.identity.tokenid:
        row["tokenid"] = task.identity.tokenid
    if saved:
        row["saved"] = "0" if task.is_running else "1"
    if task.endtime is not None:
        row |= {"endtime": int(task.endtime), "status": task.exitstatus}
    return row


def _marks(guest: Guest) -> Json:
    marks: Json = {"tags": ";".join(guest.tags), "lock": guest.lock, "hastate": guest.ha}
    return {key: value for key, value in marks.items() if value}


def _kind_fields(call: Call, guest: Guest) -> Json:
    if guest.kind == "lxc":
        return {"type": "lxc", "swap": 0, "maxswap": 512 << 20, **_disk_traffic(guest)}
    template: Json = {"template": 1} if guest.template else {}
    if call.cluster.release.major < 9:
        return template
    return {**template, "memhost": guest.mem, **(dict.fromkeys(PRESSURE, 0) if guest.is_up else {})}


def _disk_traffic(guest: Guest) -> Json:
    return {"diskread": guest.traffic("diskread", 5000), "diskwrite": guest.traffic("diskwrite", 3000)}


def _process(guest: Guest) -> Json:
    return {"pid": guest.pid} if guest.is_up else {}
